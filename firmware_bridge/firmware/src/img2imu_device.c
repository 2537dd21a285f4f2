/* SPDX-License-Identifier: Apache-2.0 */
#include "img2imu_device.h"

#define AXES 3
#define MAX_PART 100 /* an INFO has at most 95 bytes */

static void drain(img2imu_device *device) {
    img2imu_queue_drain(&device->queue, device->board.send, device->board.context);
}

static void put(img2imu_device *device, const uint8_t *message, size_t length) {
    if (length > device->limit) {
        device->queue.dropped++;
    } else if (length != 0) {
        img2imu_queue_put(&device->queue, message, length);
    }
}

static void read_clock(img2imu_device *device) {
    device->info.ticks = img2imu_extend_ticks(device->info.ticks, device->board.clock(device->board.context));
}

static void flush(img2imu_device *device) {
    put(device, device->batch.message, img2imu_batch_flush(&device->batch));
}

static void put_info(img2imu_device *device) {
    uint8_t message[MAX_PART];
    size_t size = device->limit < sizeof message ? device->limit : sizeof message;
    size_t length;
    unsigned part;
    flush(device);
    read_clock(device);
    device->info.next_index = device->batch.next_index;
    for (part = 0; (length = img2imu_encode_info(&device->info, part, size, message)) != 0; part++) {
        put(device, message, length);
    }
}

int img2imu_device_begin(img2imu_device *device, const img2imu_info *info, const img2imu_board *board,
                         uint8_t *message, size_t message_size, uint8_t *queue, size_t queue_size) {
    static const img2imu_receiver fresh = {{0}, 0, 0, 0, 0, 0};
    uint8_t part[MAX_PART];
    device->info = *info;
    device->info.ticks = 0;
    device->info.streaming = 0;
    device->board = *board;
    device->receiver = fresh;
    device->room = message_size;
    device->limit = message_size < IMG2IMU_MAX_MESSAGE ? message_size : IMG2IMU_MAX_MESSAGE;
    img2imu_queue_init(&device->queue, queue, queue_size);
    if (img2imu_encode_info(info, 0, sizeof part, part) == 0 ||
        !img2imu_batch_init(&device->batch, message, message_size, (uint8_t)(AXES * info->sensor_count)) ||
        queue_size < IMG2IMU_QUEUED_SIZE(message_size)) {
        return 0;
    }
    put_info(device);
    drain(device);
    return 1;
}

void img2imu_device_set_limit(img2imu_device *device, size_t limit) {
    size_t least = IMG2IMU_DATA_SIZE(1, (size_t)device->batch.axes);
    flush(device);
    device->limit = limit < IMG2IMU_MAX_MESSAGE ? limit : IMG2IMU_MAX_MESSAGE;
    device->batch.capacity = device->limit < device->room ? device->limit : device->room;
    if (device->batch.capacity < least) {
        device->batch.capacity = least; /* never sent, but counted */
    }
    img2imu_queue_limit(&device->queue, device->limit); /* what would never fit */
}

void img2imu_device_sample(img2imu_device *device, uint32_t ticks, const int16_t *counts) {
    /* Half a turn back or forth: a sample may be older than the clock that INFO told. */
    uint32_t ahead = ticks - (uint32_t)device->info.ticks;
    uint64_t at = device->info.ticks + ahead - (ahead >> 31 ? (uint64_t)1 << 32 : 0);
    if (!device->info.streaming) {
        return;
    }
    put(device, device->batch.message, img2imu_batch_add(&device->batch, at, counts));
    img2imu_device_poll(device);
}

void img2imu_device_missed(img2imu_device *device, uint32_t samples) {
    if (device->info.streaming && samples != 0) {
        flush(device);
        img2imu_batch_skip(&device->batch, samples);
        drain(device);
    }
}

static void switch_stream(img2imu_device *device, uint8_t on) {
    if (device->info.streaming != on) {
        device->info.streaming = on;
        if (device->board.stream) {
            device->board.stream(device->board.context, on);
        }
    }
}

static uint8_t set_rate(img2imu_device *device, uint32_t millihertz) {
    uint32_t rate = 0;
    if (device->board.set_rate) {
        rate = device->board.set_rate(device->board.context, millihertz);
    } else if (millihertz == device->info.rate_millihertz) {
        rate = millihertz;
    }
    if (rate == 0) {
        return IMG2IMU_BAD_ARGUMENT;
    }
    device->info.rate_millihertz = rate;
    return IMG2IMU_OK;
}

void img2imu_device_message(img2imu_device *device, const uint8_t *message, size_t length) {
    uint8_t answer[IMG2IMU_STATUS_SIZE];
    img2imu_request request;
    uint8_t was_streaming = device->info.streaming;
    int code = img2imu_decode_request(message, length, &request);
    int obeyed = code == IMG2IMU_OK;
    if (code == IMG2IMU_NOT_A_REQUEST) {
        return;
    }
    flush(device); /* what came before the request goes before its answer */
    if (obeyed && request.request == IMG2IMU_GET_INFO) {
        put_info(device);
        drain(device);
        return;
    }
    if (obeyed && request.request == IMG2IMU_SET_RATE) {
        code = set_rate(device, request.rate_millihertz);
    } else if (obeyed) {
        switch_stream(device, request.request == IMG2IMU_START);
    }
    put(device, answer, img2imu_encode_status(request.request, request.request_id, (uint8_t)code, answer));
    if (code == IMG2IMU_OK && (request.request == IMG2IMU_SET_RATE || device->info.streaming > was_streaming)) {
        put_info(device); /* the numbers of what follows */
    }
    drain(device);
}

void img2imu_device_byte(img2imu_device *device, uint8_t byte) {
    size_t length = img2imu_receive(&device->receiver, byte);
    if (length != 0) {
        img2imu_device_message(device, device->receiver.message, length);
    }
}

void img2imu_device_poll(img2imu_device *device) {
    read_clock(device);
    drain(device);
}

void img2imu_device_stop(img2imu_device *device) {
    if (device->info.streaming) {
        flush(device);
        switch_stream(device, 0);
        put_info(device);
        drain(device);
    }
}

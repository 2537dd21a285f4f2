/* SPDX-License-Identifier: Apache-2.0 */
#include "img2imu_wire.h"

#include <string.h>

#define INFO_HEAD 30
#define SENSOR_SIZE 10
#define AXES 3
#define MAX_BODY (INFO_HEAD + IMG2IMU_MAX_SENSORS * SENSOR_SIZE + 1 + IMG2IMU_MAX_NAME + 2)
#define LAST_PART 0x80
#define FULL_BLOCK 0xFF /* a COBS code byte that no zero follows */

static size_t put(uint8_t *out, uint64_t value, size_t size) {
    size_t i;
    for (i = 0; i < size; i++) {
        out[i] = (uint8_t)(value >> (8 * i));
    }
    return size;
}

uint16_t img2imu_crc(uint16_t crc, const uint8_t *data, size_t length) {
    size_t i;
    int bit;
    for (i = 0; i < length; i++) {
        crc = (uint16_t)(crc ^ ((uint16_t)data[i] << 8));
        for (bit = 0; bit < 8; bit++) {
            crc = (uint16_t)((crc & 0x8000) ? (uint16_t)(crc << 1) ^ 0x1021 : crc << 1);
        }
    }
    return crc;
}

/* ---- INFO, DATA, STATUS ------------------------------------------------------------------------------ */

static int is_possible(const img2imu_info *info) {
    unsigned seen = 0;
    size_t i;
    if (info->ticks_per_second == 0 || info->rate_millihertz == 0 || info->sensor_count == 0 ||
        info->sensor_count > IMG2IMU_MAX_SENSORS) {
        return 0;
    }
    for (i = 0; i < info->sensor_count; i++) {
        const img2imu_sensor *sensor = &info->sensors[i];
        if (sensor->kind < IMG2IMU_ACC || sensor->kind > IMG2IMU_MAG || (seen >> sensor->kind & 1) ||
            sensor->numerator == 0 || sensor->denominator == 0) {
            return 0;
        }
        seen |= 1u << sensor->kind;
    }
    return 1;
}

static size_t name_length(const char *name) {
    size_t length = 0;
    while (length <= IMG2IMU_MAX_NAME && name[length] != '\0') {
        length++;
    }
    if (length > IMG2IMU_MAX_NAME) {
        length = IMG2IMU_MAX_NAME;
        while (length > 0 && ((uint8_t)name[length] & 0xC0) == 0x80) {
            length--; /* the bytes of one character stay together */
        }
    }
    return length;
}

static size_t encode_body(const img2imu_info *info, uint8_t *body) {
    size_t at = 0;
    size_t i;
    size_t length = name_length(info->name);
    at += put(body + at, info->boot_id, 4);
    at += put(body + at, info->ticks, 8);
    at += put(body + at, info->next_index, 8);
    at += put(body + at, info->ticks_per_second, 4);
    at += put(body + at, info->rate_millihertz, 4);
    body[at++] = info->streaming ? 1 : 0;
    body[at++] = info->sensor_count;
    for (i = 0; i < info->sensor_count; i++) {
        body[at++] = info->sensors[i].kind;
        body[at++] = AXES;
        at += put(body + at, info->sensors[i].numerator, 4);
        at += put(body + at, info->sensors[i].denominator, 4);
    }
    body[at++] = (uint8_t)length;
    memcpy(body + at, info->name, length);
    at += length;
    at += put(body + at, img2imu_crc(0xFFFF, body, at), 2);
    return at;
}

size_t img2imu_encode_info(const img2imu_info *info, unsigned part, size_t max_size, uint8_t *message) {
    uint8_t body[MAX_BODY];
    size_t size, length, start;
    if (max_size < 3 || max_size > IMG2IMU_MAX_MESSAGE || !is_possible(info)) {
        return 0;
    }
    size = encode_body(info, body);
    length = max_size - 2;
    if (part >= MAX_BODY || part * length >= size) {
        return 0;
    }
    start = part * length;
    if (length > size - start) {
        length = size - start;
    }
    message[0] = IMG2IMU_INFO;
    message[1] = (uint8_t)(part | (start + length == size ? LAST_PART : 0));
    memcpy(message + 2, body + start, length);
    return length + 2;
}

static void put_data_header(uint8_t *message, uint64_t index, uint64_t ticks) {
    message[0] = IMG2IMU_DATA;
    message[1] = 0;
    put(message + 2, index, 2);
    put(message + 4, ticks, 4);
}

static size_t put_counts(uint8_t *out, const int16_t *counts, size_t values) {
    size_t i;
    for (i = 0; i < values; i++) {
        out[2 * i] = (uint8_t)((uint16_t)counts[i] & 0xFF); /* by hand: put() is slow on 8 bits */
        out[2 * i + 1] = (uint8_t)((uint16_t)counts[i] >> 8);
    }
    return 2 * values;
}

size_t img2imu_encode_data(uint64_t index, uint64_t ticks, const int16_t *counts, size_t values,
                           uint8_t *message, size_t capacity) {
    size_t limit = capacity < IMG2IMU_MAX_MESSAGE ? capacity : IMG2IMU_MAX_MESSAGE;
    if (limit < IMG2IMU_DATA_HEADER || values == 0 || values > (limit - IMG2IMU_DATA_HEADER) / 2) {
        return 0;
    }
    put_data_header(message, index, ticks);
    return IMG2IMU_DATA_HEADER + put_counts(message + IMG2IMU_DATA_HEADER, counts, values);
}

size_t img2imu_encode_status(uint8_t request, uint8_t request_id, uint8_t code,
                             uint8_t message[IMG2IMU_STATUS_SIZE]) {
    message[0] = IMG2IMU_STATUS;
    message[1] = request;
    message[2] = request_id;
    message[3] = code;
    return IMG2IMU_STATUS_SIZE;
}

/* ---- Batches ----------------------------------------------------------------------------------------- */

int img2imu_batch_init(img2imu_batch *batch, uint8_t *message, size_t capacity, uint8_t axes) {
    batch->message = message;
    batch->capacity = capacity < IMG2IMU_MAX_MESSAGE ? capacity : IMG2IMU_MAX_MESSAGE;
    batch->length = 0;
    batch->next_index = 0;
    batch->axes = axes;
    return axes > 0 && batch->capacity >= (size_t)IMG2IMU_DATA_SIZE(1, axes);
}

size_t img2imu_batch_add(img2imu_batch *batch, uint64_t ticks, const int16_t *counts) {
    if (batch->length == 0) {
        put_data_header(batch->message, batch->next_index, ticks);
        batch->length = IMG2IMU_DATA_HEADER;
    }
    batch->length += put_counts(batch->message + batch->length, counts, batch->axes);
    batch->next_index++;
    if (batch->length + 2 * (size_t)batch->axes <= batch->capacity) {
        return 0;
    }
    return img2imu_batch_flush(batch);
}

size_t img2imu_batch_flush(img2imu_batch *batch) {
    size_t length = batch->length;
    batch->length = 0;
    return length;
}

int img2imu_batch_skip(img2imu_batch *batch, uint32_t samples) {
    if (batch->length != 0) {
        return 0;
    }
    batch->next_index += samples;
    return 1;
}

/* ---- The queue --------------------------------------------------------------------------------------- */

void img2imu_queue_init(img2imu_queue *queue, uint8_t *bytes, size_t capacity) {
    queue->bytes = bytes;
    queue->capacity = capacity;
    queue->used = queue->most = 0;
    queue->dropped = 0;
}

static size_t queued_length(const img2imu_queue *queue, size_t at) {
    return queue->bytes[at] | (size_t)queue->bytes[at + 1] << 8;
}

static void take_out(img2imu_queue *queue, size_t at) {
    size_t next = at + IMG2IMU_QUEUED_SIZE(queued_length(queue, at));
    memmove(queue->bytes + at, queue->bytes + next, queue->used - next);
    queue->used -= next - at;
}

static int drop_oldest_data(img2imu_queue *queue) {
    size_t at = 0;
    while (at < queue->used) {
        if (queue->bytes[at + 2] == IMG2IMU_DATA) {
            take_out(queue, at);
            queue->dropped++;
            return 1;
        }
        at += IMG2IMU_QUEUED_SIZE(queued_length(queue, at));
    }
    return 0;
}

int img2imu_queue_put(img2imu_queue *queue, const uint8_t *message, size_t length) {
    size_t size = IMG2IMU_QUEUED_SIZE(length);
    if (length == 0 || length > IMG2IMU_MAX_MESSAGE) {
        return 0;
    }
    while (size > queue->capacity - queue->used) {
        if (size > queue->capacity || !drop_oldest_data(queue)) {
            queue->dropped++;
            return 0;
        }
    }
    put(queue->bytes + queue->used, length, 2);
    memcpy(queue->bytes + queue->used + 2, message, length);
    queue->used += size;
    if (queue->used > queue->most) {
        queue->most = queue->used;
    }
    return 1;
}

size_t img2imu_queue_drain(img2imu_queue *queue, img2imu_send send, void *context) {
    size_t taken = 0;
    while (queue->used != 0 && send(context, queue->bytes + 2, queued_length(queue, 0))) {
        take_out(queue, 0);
        taken++;
    }
    return taken;
}

void img2imu_queue_limit(img2imu_queue *queue, size_t longest) {
    size_t at = 0;
    while (at < queue->used) {
        size_t length = queued_length(queue, at);
        if (length > longest) {
            take_out(queue, at);
            queue->dropped++;
        } else {
            at += IMG2IMU_QUEUED_SIZE(length);
        }
    }
}

/* ---- Time -------------------------------------------------------------------------------------------- */

uint64_t img2imu_extend_ticks(uint64_t previous, uint32_t now) {
    return previous + (uint32_t)(now - (uint32_t)previous);
}

/* ---- Requests ---------------------------------------------------------------------------------------- */

int img2imu_decode_request(const uint8_t *message, size_t length, img2imu_request *request) {
    size_t i;
    if (length < 2 || message[0] >> 4 != IMG2IMU_VERSION || (message[0] & 0x0F) < 8) {
        return IMG2IMU_NOT_A_REQUEST;
    }
    request->request = message[0];
    request->request_id = message[1];
    request->rate_millihertz = 0;
    if (message[0] > IMG2IMU_SET_RATE) {
        return IMG2IMU_UNKNOWN_REQUEST;
    }
    if (message[0] != IMG2IMU_SET_RATE) {
        return IMG2IMU_OK;
    }
    for (i = 0; length >= 6 && i < 4; i++) {
        request->rate_millihertz |= (uint32_t)message[2 + i] << (8 * i);
    }
    return request->rate_millihertz == 0 ? IMG2IMU_BAD_ARGUMENT : IMG2IMU_OK;
}

/* ---- Frames ------------------------------------------------------------------------------------------ */

size_t img2imu_encode_frame(const uint8_t *message, size_t length, uint8_t *frame, size_t capacity) {
    uint16_t crc;
    size_t i;
    size_t code_at = 0;
    size_t at = 1;
    if (length == 0 || length > IMG2IMU_MAX_MESSAGE || capacity < IMG2IMU_FRAME_SIZE(length)) {
        return 0;
    }
    crc = img2imu_crc(0xFFFF, message, length);
    for (i = 0; i < length + 2; i++) {
        uint8_t byte = (uint8_t)(i < length ? message[i] : i == length ? crc : crc >> 8);
        if (at - code_at == FULL_BLOCK) {
            frame[code_at] = FULL_BLOCK;
            code_at = at++;
        }
        if (byte == 0) {
            frame[code_at] = (uint8_t)(at - code_at);
            code_at = at++;
        } else {
            frame[at++] = byte;
        }
    }
    frame[code_at] = (uint8_t)(at - code_at);
    frame[at++] = 0;
    return at;
}

static void append(img2imu_receiver *receiver, uint8_t byte) {
    if (receiver->length < sizeof receiver->message) {
        receiver->message[receiver->length++] = byte;
    } else {
        receiver->overlong = 1;
    }
}

static size_t end_frame(img2imu_receiver *receiver) {
    size_t length = receiver->length;
    int empty = receiver->code == 0;
    int whole = receiver->left == 0 && !receiver->overlong && length > 2;
    receiver->length = receiver->code = receiver->left = receiver->overlong = 0;
    if (whole) {
        uint16_t crc = img2imu_crc(0xFFFF, receiver->message, length - 2);
        if (receiver->message[length - 2] == (crc & 0xFF) && receiver->message[length - 1] == crc >> 8) {
            return length - 2;
        }
    }
    if (!empty) {
        receiver->corrupt++;
    }
    return 0;
}

size_t img2imu_receive(img2imu_receiver *receiver, uint8_t byte) {
    if (byte == 0) {
        return end_frame(receiver);
    }
    if (receiver->left > 0) {
        append(receiver, byte);
        receiver->left--;
        return 0;
    }
    if (receiver->code != 0 && receiver->code != FULL_BLOCK) {
        append(receiver, 0); /* the zero that this code byte stands for */
    }
    receiver->code = byte;
    receiver->left = (uint8_t)(byte - 1);
    return 0;
}

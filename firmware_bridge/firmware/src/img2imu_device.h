/* SPDX-License-Identifier: Apache-2.0 */
/*
 * img2imu_device - a whole device: the conversation of the img2imu wire protocol, for one stream of samples.
 *
 * Your firmware gives a clock and a way to send; it hands over samples and what the host says. Requests are
 * answered, samples numbered, batched and queued, and what a slow link cannot carry is dropped in whole batches,
 * which the host counts. No allocation, no floating point. Not reentrant: call all of it from one task, or with
 * interrupts held off. README.md has a whole sketch.
 */
#ifndef IMG2IMU_DEVICE_H
#define IMG2IMU_DEVICE_H

#include "img2imu_wire.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What the firmware around it does. The functions must not call back into the device. */
typedef struct {
    /* Send a message, whole: nonzero if it was taken, 0 if there is no room now. On a serial line, frame it. */
    img2imu_send send;
    /* The clock in info.ticks_per_second, modulo 2^32, such as micros(). */
    uint32_t (*clock)(void *context);
    /* Begin (1) or end (0) taking samples. NULL: they are taken anyway, and those in between ignored. */
    void (*stream)(void *context, int on);
    /* Sample at this rate, or as near as can be: returns the rate in mHz, 0 to refuse. NULL: refuse all. */
    uint32_t (*set_rate)(void *context, uint32_t millihertz);
    void *context; /* handed to all four */
} img2imu_board;

typedef struct {
    img2imu_info info;
    img2imu_board board;
    img2imu_batch batch;
    img2imu_queue queue; /* queue.dropped and queue.most tell whether it is large enough */
    img2imu_receiver receiver;
    size_t room;  /* for a batch */
    size_t limit; /* the longest message that the link takes */
} img2imu_device;

/*
 * Begin: call once, and say hello with INFO.
 *
 * info: name, which must stay, sensors, rate and clock; boot_id random, or counted in flash. It is copied, and
 * the rest of it kept current.
 * message, message_size: room for the largest DATA message, IMG2IMU_DATA_SIZE(samples, axes).
 * queue, queue_size: room for what waits: at least 150 bytes for INFO, and IMG2IMU_QUEUED_SIZE(message_size)
 * for each batch that is to outlast a stalled link.
 * Returns 1, or 0 if the info is impossible or a buffer too small.
 */
int img2imu_device_begin(img2imu_device *device, const img2imu_info *info, const img2imu_board *board,
                         uint8_t *message, size_t message_size, uint8_t *queue, size_t queue_size);

/*
 * The link takes messages up to this long now: IMG2IMU_NOTIFICATION(mtu) once a host has connected and the MTU is
 * agreed upon. What waits and is longer is dropped; the rest goes to the new host, and may close its gap.
 */
void img2imu_device_set_limit(img2imu_device *device, size_t limit);

/* A sample was taken at `ticks`, which may lie in the past: FIFOs are read late. Ignored if nobody listens. */
void img2imu_device_sample(img2imu_device *device, uint32_t ticks, const int16_t *counts);

/* So many samples were taken but never read, such as those of an overflown FIFO: the host counts them. */
void img2imu_device_missed(img2imu_device *device, uint32_t samples);

/* The host wrote this: one BLE write. */
void img2imu_device_message(img2imu_device *device, const uint8_t *message, size_t length);

/* The host sent this byte on a serial line. */
void img2imu_device_byte(img2imu_device *device, uint8_t byte);

/* Call now and then, such as in loop(): sends what waits, and sees the clock turn over. */
void img2imu_device_poll(img2imu_device *device);

/* End sampling of the device's own accord, such as when its battery is low; the host is told. */
void img2imu_device_stop(img2imu_device *device);

#ifdef __cplusplus
}
#endif

#endif /* IMG2IMU_DEVICE_H */

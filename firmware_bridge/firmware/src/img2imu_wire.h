/* SPDX-License-Identifier: Apache-2.0 */
/*
 * img2imu_wire - the device's side of the img2imu wire protocol, version 1.
 *
 * Turns motion samples into messages that any img2imu host understands, and a host's requests into something
 * to act on. The bytes are described in PROTOCOL.md; img2imu_device.h holds the whole conversation.
 *
 * No allocation, no floating point, no global state, nothing but C99's own headers; byte order and alignment
 * of the processor do not matter. Functions that write return the number of bytes written, or 0 if something
 * does not fit, in which case nothing of use was written. Buffers must not overlap.
 */
#ifndef IMG2IMU_WIRE_H
#define IMG2IMU_WIRE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Sizes in bytes ---------------------------------------------------------------------------------- */

#define IMG2IMU_VERSION 1

/* The longest message: the longest BLE attribute value, and exactly 42 samples of 6 axes. */
#define IMG2IMU_MAX_MESSAGE 512

/* What goes into one BLE notification at this MTU; 20 at the smallest MTU, 23. */
#define IMG2IMU_NOTIFICATION(mtu) ((mtu) - 3 < IMG2IMU_MAX_MESSAGE ? (mtu) - 3 : IMG2IMU_MAX_MESSAGE)

#define IMG2IMU_DATA_HEADER 8
#define IMG2IMU_DATA_SIZE(samples, axes) (IMG2IMU_DATA_HEADER + 2 * (samples) * (axes))
#define IMG2IMU_STATUS_SIZE 4

/* Room for a message of n bytes as a serial frame: checksum, COBS codes and the closing zero included. */
#define IMG2IMU_FRAME_SIZE(n) ((n) + 2 + 1 + ((n) + 2) / 254 + 1)

/* The longest request that a device takes; the known ones have at most 6 bytes. */
#define IMG2IMU_MAX_REQUEST 16

#define IMG2IMU_MAX_SENSORS 3
#define IMG2IMU_MAX_NAME 32

/* ---- Device to host ---------------------------------------------------------------------------------- */

enum { IMG2IMU_INFO = 0x11, IMG2IMU_DATA = 0x12, IMG2IMU_STATUS = 0x13 };

enum { IMG2IMU_ACC = 1, IMG2IMU_GYR = 2, IMG2IMU_MAG = 3 };

/* A three-axis sensor. One raw count is worth numerator / denominator m/s^2, rad/s or uT: exact, and no
 * floating point needed. An accelerometer with 4096 counts per g: 980665 / (4096 * 100000). */
typedef struct {
    uint8_t kind; /* IMG2IMU_ACC, IMG2IMU_GYR or IMG2IMU_MAG; each at most once */
    uint32_t numerator;
    uint32_t denominator;
} img2imu_sensor;

/* What a device says about itself, together with one reading of its clock and its sample counter. */
typedef struct {
    const char *name;          /* UTF-8, not NULL; cut after at most 32 bytes, between characters */
    uint32_t boot_id;          /* differs after every power-up: random, or counted in flash */
    uint64_t ticks;            /* the clock now, since power-up; see img2imu_extend_ticks */
    uint64_t next_index;       /* number of the sample taken next, since power-up */
    uint32_t ticks_per_second; /* 1000000 for micros() */
    uint32_t rate_millihertz;  /* nominal sampling rate; 50000 for 50 Hz */
    uint8_t streaming;         /* nonzero while samples are taken */
    uint8_t sensor_count;
    img2imu_sensor sensors[IMG2IMU_MAX_SENSORS]; /* in the order of a sample's values */
} img2imu_info;

/*
 * Write one part of an INFO. Parts are numbered from 0, and asking for one beyond the last returns 0:
 *
 *     for (part = 0; (n = img2imu_encode_info(&info, part, max_size, message)) != 0; part++)
 *         send(message, n);
 *
 * max_size: the longest message that the transport takes, 3 to 512; message must have room for as much.
 * Returns the message's length, or 0: no such part, or an info without sensor, rate or clock, with a scale of
 * 0 or by 0, or with a kind unknown or twice.
 */
size_t img2imu_encode_info(const img2imu_info *info, unsigned part, size_t max_size, uint8_t *message);

/*
 * Write a DATA message.
 *
 * index: number of the first sample; ticks: the clock at it. Both are sent modulo 2^16 and 2^32.
 * counts: the samples' values one after the other; values: how many, samples times axes.
 * capacity: room in message. Returns the message's length, or 0 if it exceeds capacity or 512, or has no value.
 */
size_t img2imu_encode_data(uint64_t index, uint64_t ticks, const int16_t *counts, size_t values,
                           uint8_t *message, size_t capacity);

enum { IMG2IMU_OK = 0, IMG2IMU_UNKNOWN_REQUEST = 1, IMG2IMU_BAD_ARGUMENT = 2, IMG2IMU_BUSY = 3 };

/* Write a STATUS message, 4 bytes: the answer to a request. Returns its length. */
size_t img2imu_encode_status(uint8_t request, uint8_t request_id, uint8_t code,
                             uint8_t message[IMG2IMU_STATUS_SIZE]);

/* ---- Batches: from single samples to DATA messages --------------------------------------------------- */

typedef struct {
    uint8_t *message;
    size_t capacity;
    size_t length;
    uint64_t next_index;
    uint8_t axes;
} img2imu_batch;

/*
 * Start counting samples at 0. message: room for the largest DATA message to send; capacity: its size, best
 * IMG2IMU_DATA_SIZE(samples, axes); axes: 3 per sensor. Returns 1, or 0 if not even one sample fits.
 */
int img2imu_batch_init(img2imu_batch *batch, uint8_t *message, size_t capacity, uint8_t axes);

/*
 * Add a sample of `axes` counts, taken at ticks. Returns the length of the message if it is now full: send
 * batch->message before the next call. Otherwise 0. If it cannot be sent, drop it: the host counts the gap.
 */
size_t img2imu_batch_add(img2imu_batch *batch, uint64_t ticks, const int16_t *counts);

/* End the message early, before STOP is answered or after a long wait. Returns its length, 0 if it is empty. */
size_t img2imu_batch_flush(img2imu_batch *batch);

/*
 * Count samples that were taken but never read, such as those of an overflown FIFO. What flush returned
 * before is to be sent first: a message has no gaps inside. Returns 0 and counts nothing if there was no flush.
 */
int img2imu_batch_skip(img2imu_batch *batch, uint32_t samples);

/* ---- A queue: for links that are at times slower than the sensor ------------------------------------- */

/* Room in a queue for a message of n bytes. */
#define IMG2IMU_QUEUED_SIZE(n) ((n) + 2)

typedef struct {
    uint8_t *bytes; /* the messages, oldest first, each behind its length */
    size_t capacity;
    size_t used;
    size_t most;      /* the largest `used` so far: is there enough room? */
    uint32_t dropped; /* messages that made room for younger ones, or had none */
} img2imu_queue;

/* bytes: room for the messages, IMG2IMU_QUEUED_SIZE of each. */
void img2imu_queue_init(img2imu_queue *queue, uint8_t *bytes, size_t capacity);

/*
 * Queue a message. If there is no room, whole DATA messages are dropped, oldest first, which the host sees by
 * their numbers; INFO and STATUS stay. Returns 1, or 0 if even so there is no room.
 */
int img2imu_queue_put(img2imu_queue *queue, const uint8_t *message, size_t length);

/*
 * Send what waits, oldest first, for as long as `send` takes it. It returns nonzero if it took the message,
 * whole, and 0 if there is no room now. It must not use the queue. Returns the number of messages taken.
 */
typedef int (*img2imu_send)(void *context, const uint8_t *message, size_t length);
size_t img2imu_queue_drain(img2imu_queue *queue, img2imu_send send, void *context);

/* Drop the messages that are longer than this, which no link will take any more. */
void img2imu_queue_limit(img2imu_queue *queue, size_t longest);

/* ---- Time -------------------------------------------------------------------------------------------- */

/*
 * Extend a clock of 32 bits to 64: keep what is returned as the next `previous`, and call this at least once
 * per turn of the clock (71 minutes for micros()).
 */
uint64_t img2imu_extend_ticks(uint64_t previous, uint32_t now);

/* ---- Host to device ---------------------------------------------------------------------------------- */

enum {
    IMG2IMU_GET_INFO = 0x18,
    IMG2IMU_START = 0x19,
    IMG2IMU_STOP = 0x1A,
    IMG2IMU_SET_RATE = 0x1B
};

typedef struct {
    uint8_t request; /* IMG2IMU_GET_INFO, ... */
    uint8_t request_id;
    uint32_t rate_millihertz; /* SET_RATE only, else 0 */
} img2imu_request;

/*
 * Read a request. Returns the STATUS code to answer with: IMG2IMU_OK if it is to be carried out (its answer
 * may still be another code), IMG2IMU_UNKNOWN_REQUEST or IMG2IMU_BAD_ARGUMENT otherwise. Returns
 * IMG2IMU_NOT_A_REQUEST if there is nothing to answer: too short, of another version, or a device's message.
 */
#define IMG2IMU_NOT_A_REQUEST (-1)
int img2imu_decode_request(const uint8_t *message, size_t length, img2imu_request *request);

/* ---- Serial lines: COBS frames with a checksum ------------------------------------------------------- */

/*
 * Wrap a message of 1 to 512 bytes. capacity: room in frame; IMG2IMU_FRAME_SIZE(length) always suffices and
 * is asked for. Returns the frame's length with its closing zero, or 0 if a size is out of range.
 */
size_t img2imu_encode_frame(const uint8_t *message, size_t length, uint8_t *frame, size_t capacity);

/* Finds requests in a stream of bytes. All zeros is a fresh one. */
typedef struct {
    uint8_t message[IMG2IMU_MAX_REQUEST + 2];
    uint8_t length;
    uint8_t code;     /* the COBS code byte before, 0 at a frame's start */
    uint8_t left;     /* bytes that belong to it still */
    uint8_t overlong; /* the frame cannot be a request */
    uint16_t corrupt; /* frames thrown away */
} img2imu_receiver;

/*
 * Take one byte. Returns the length of a message if the byte completed one: read receiver->message before the
 * next call. Otherwise 0. Whatever came before, the receiver is in step again after the next zero byte.
 */
size_t img2imu_receive(img2imu_receiver *receiver, uint8_t byte);

/* CRC-16/CCITT-FALSE. Start with 0xFFFF, then go on with what was returned. "123456789" gives 0x29B1. */
uint16_t img2imu_crc(uint16_t crc, const uint8_t *data, size_t length);

#ifdef __cplusplus
}
#endif

#endif /* IMG2IMU_WIRE_H */

/* Zephyr: the sensor with the alias `imu` over BLE. On the host: img2imu run ble:img2imu-zephyr
 * SPDX-License-Identifier: Apache-2.0 */
#include <zephyr/bluetooth/bluetooth.h>
#include <zephyr/bluetooth/conn.h>
#include <zephyr/bluetooth/gatt.h>
#include <zephyr/device.h>
#include <zephyr/drivers/sensor.h>
#include <zephyr/kernel.h>
#include <zephyr/random/random.h>

#include <img2imu_device.h>

#define RATE 100
#define SAMPLES 10
#define NUS(n) BT_UUID_DECLARE_128(BT_UUID_128_ENCODE(0x6e40000##n, 0xb5a3, 0xf393, 0xe0a9, 0xe50e24dcca9e))

static const struct device *const imu = DEVICE_DT_GET(DT_ALIAS(imu));
static img2imu_device stream;
static uint8_t message[IMG2IMU_DATA_SIZE(SAMPLES, 6)];
static uint8_t waiting[16 * IMG2IMU_QUEUED_SIZE(sizeof message)];

/* Bluetooth calls from a thread of its own. */
static K_MUTEX_DEFINE(lock);

static ssize_t requested(struct bt_conn *conn, const struct bt_gatt_attr *attr, const void *bytes,
                         uint16_t length, uint16_t offset, uint8_t flags) {
    k_mutex_lock(&lock, K_FOREVER);
    img2imu_device_message(&stream, bytes, length);
    k_mutex_unlock(&lock);
    return length;
}

BT_GATT_SERVICE_DEFINE(service, BT_GATT_PRIMARY_SERVICE(NUS(1)),
                       BT_GATT_CHARACTERISTIC(NUS(3), BT_GATT_CHRC_NOTIFY, BT_GATT_PERM_NONE, NULL, NULL, NULL),
                       BT_GATT_CCC(NULL, BT_GATT_PERM_READ | BT_GATT_PERM_WRITE),
                       BT_GATT_CHARACTERISTIC(NUS(2), BT_GATT_CHRC_WRITE | BT_GATT_CHRC_WRITE_WITHOUT_RESP,
                                              BT_GATT_PERM_WRITE, NULL, requested, NULL));

/* 0 if the stack has no buffer free, or nobody has subscribed: the queue keeps it. */
static int notify(void *context, const uint8_t *bytes, size_t length) {
    return bt_gatt_notify(NULL, &service.attrs[1], bytes, (uint16_t)length) == 0;
}

static uint32_t clock_now(void *context) { return k_uptime_ticks(); }

static void mtu_updated(struct bt_conn *conn, uint16_t tx, uint16_t rx) {
    k_mutex_lock(&lock, K_FOREVER);
    img2imu_device_set_limit(&stream, IMG2IMU_NOTIFICATION(tx));
    k_mutex_unlock(&lock);
}

static struct bt_gatt_cb gatt = {.att_mtu_updated = mtu_updated};

static const struct bt_data advertisement[] = {
    BT_DATA_BYTES(BT_DATA_FLAGS, BT_LE_AD_GENERAL | BT_LE_AD_NO_BREDR),
    BT_DATA_BYTES(BT_DATA_UUID128_ALL,
                  BT_UUID_128_ENCODE(0x6e400001, 0xb5a3, 0xf393, 0xe0a9, 0xe50e24dcca9e))};
static const struct bt_data response[] = {
    BT_DATA(BT_DATA_NAME_COMPLETE, CONFIG_BT_DEVICE_NAME, sizeof CONFIG_BT_DEVICE_NAME - 1)};

static void advertise(struct k_work *work) {
    bt_le_adv_start(BT_LE_ADV_CONN_FAST_1, advertisement, ARRAY_SIZE(advertisement), response,
                    ARRAY_SIZE(response));
}

static K_WORK_DEFINE(advertising, advertise);

/* A connection is gone, and its memory free for the next. */
static void recycled(void) { k_work_submit(&advertising); }

BT_CONN_CB_DEFINE(connections) = {.recycled = recycled};

/* Zephyr gives m/s^2 and rad/s: 400 counts in 1 m/s^2, 1000 in 1 rad/s. */
static int16_t counts_of(const struct sensor_value *value, int32_t per_unit) {
    int64_t counts = sensor_value_to_micro(value) * per_unit / 1000000;
    return (int16_t)CLAMP(counts, INT16_MIN, INT16_MAX);
}

int main(void) {
    const img2imu_board board = {notify, clock_now, NULL, NULL, NULL};
    img2imu_info info = {
        .name = CONFIG_BT_DEVICE_NAME,
        .boot_id = sys_rand32_get(),
        .ticks_per_second = CONFIG_SYS_CLOCK_TICKS_PER_SEC,
        .rate_millihertz = RATE * 1000,
        .sensor_count = 2,
        .sensors = {{IMG2IMU_ACC, 1, 400}, {IMG2IMU_GYR, 1, 1000}},
    };
    struct sensor_value rate = {.val1 = RATE}, values[6];
    struct k_timer pace;
    int16_t counts[6];

    sensor_attr_set(imu, SENSOR_CHAN_ACCEL_XYZ, SENSOR_ATTR_SAMPLING_FREQUENCY, &rate);
    sensor_attr_set(imu, SENSOR_CHAN_GYRO_XYZ, SENSOR_ATTR_SAMPLING_FREQUENCY, &rate);
    if (!device_is_ready(imu) || bt_enable(NULL) != 0 ||
        !img2imu_device_begin(&stream, &info, &board, message, sizeof message, waiting, sizeof waiting)) {
        return -1;
    }
    img2imu_device_set_limit(&stream, IMG2IMU_NOTIFICATION(23)); /* until the host asks for more */
    bt_gatt_cb_register(&gatt);
    k_work_submit(&advertising);

    k_timer_init(&pace, NULL, NULL);
    k_timer_start(&pace, K_USEC(1000000 / RATE), K_USEC(1000000 / RATE));
    for (;;) {
        uint32_t expired = k_timer_status_sync(&pace);
        uint32_t at = (uint32_t)k_uptime_ticks();
        sensor_sample_fetch(imu);
        sensor_channel_get(imu, SENSOR_CHAN_ACCEL_XYZ, values);
        sensor_channel_get(imu, SENSOR_CHAN_GYRO_XYZ, values + 3);
        for (size_t axis = 0; axis < 6; axis++) {
            counts[axis] = counts_of(&values[axis], axis < 3 ? 400 : 1000);
        }
        k_mutex_lock(&lock, K_FOREVER);
        img2imu_device_missed(&stream, expired - 1); /* what the loop was too late for */
        img2imu_device_sample(&stream, at, counts);
        img2imu_device_poll(&stream);
        k_mutex_unlock(&lock);
    }
}

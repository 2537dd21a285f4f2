#pragma once
#include <stdint.h>
#include <zephyr/device.h>
struct sensor_value { int32_t val1, val2; };
enum sensor_channel { SENSOR_CHAN_ACCEL_XYZ, SENSOR_CHAN_GYRO_XYZ };
enum sensor_attribute { SENSOR_ATTR_SAMPLING_FREQUENCY };
int sensor_attr_set(const struct device *device, enum sensor_channel channel, enum sensor_attribute attribute,
                    const struct sensor_value *value);
int sensor_sample_fetch(const struct device *device);
int sensor_channel_get(const struct device *device, enum sensor_channel channel, struct sensor_value *value);
int64_t sensor_value_to_micro(const struct sensor_value *value);

#pragma once
#include <stdint.h>
#define I2C_MODE 0
#define LSM6DS3_ACC_GYRO_STATUS_REG 0x1E
struct SensorSettings {
  uint16_t gyroRange, gyroSampleRate, accelRange, accelSampleRate;
};
struct LSM6DS3 {
  LSM6DS3(uint8_t bus, uint8_t address);
  SensorSettings settings;
  int begin();
  int readRegister(uint8_t *value, uint8_t reg);
  int16_t readRawAccelX(), readRawAccelY(), readRawAccelZ(), readRawGyroX(), readRawGyroY(), readRawGyroZ();
};

// Seeed XIAO nRF52840 Sense (mbed core): its LSM6DS3TR-C over BLE. On the host: img2imu run ble:img2imu-xiao
// Libraries: ArduinoBLE, Seeed Arduino LSM6DS3. SPDX-License-Identifier: Apache-2.0
#include <ArduinoBLE.h>
#include <LSM6DS3.h>
#include <Wire.h>
#include <img2imu_device.h>

const int SAMPLES = 10;  // 128 bytes; 1 for a host that stays at an MTU of 23

LSM6DS3 imu(I2C_MODE, 0x6A);
BLEService service("6e400001-b5a3-f393-e0a9-e50e24dcca9e");
BLECharacteristic requests("6e400002-b5a3-f393-e0a9-e50e24dcca9e", BLEWrite | BLEWriteWithoutResponse,
                           IMG2IMU_MAX_REQUEST);
BLECharacteristic messages("6e400003-b5a3-f393-e0a9-e50e24dcca9e", BLENotify, IMG2IMU_DATA_SIZE(SAMPLES, 6));

img2imu_device device;
uint8_t message[IMG2IMU_DATA_SIZE(SAMPLES, 6)];
uint8_t waiting[8 * IMG2IMU_QUEUED_SIZE(sizeof message)];

int send(void *, const uint8_t *bytes, size_t length) {
  return BLE.connected() && messages.subscribed() && messages.writeValue(bytes, length);
}

uint32_t now(void *) { return micros(); }

void setup() {
  imu.settings.accelRange = 4;
  imu.settings.accelSampleRate = 104;
  imu.settings.gyroRange = 2000;
  imu.settings.gyroSampleRate = 104;
  if (imu.begin() != 0 || !BLE.begin()) {
    while (true) delay(1000);
  }
  BLE.setLocalName("img2imu-xiao");
  BLE.setConnectionInterval(12, 24);  // 15 to 30 ms
  BLE.setAdvertisedService(service);
  service.addCharacteristic(requests);
  service.addCharacteristic(messages);
  BLE.addService(service);
  BLE.advertise();

  img2imu_info info = {};
  info.name = "img2imu-xiao";
  info.boot_id = NRF_FICR->DEVICEADDR[0] ^ micros() ^ analogRead(A0) << 20;
  info.ticks_per_second = 1000000;
  info.rate_millihertz = 104000;
  info.sensor_count = 2;
  info.sensors[0] = {IMG2IMU_ACC, 1196411, 1000000000};  // 0.122 mg
  info.sensors[1] = {IMG2IMU_GYR, 1221730, 1000000000};  // 70 millidegrees/s
  const img2imu_board board = {send, now, NULL, NULL, NULL};
  img2imu_device_begin(&device, &info, &board, message, sizeof message, waiting, sizeof waiting);
}

void loop() {
  BLE.poll();
  if (requests.written()) {
    img2imu_device_message(&device, requests.value(), requests.valueLength());
  }
  uint8_t status = 0;
  imu.readRegister(&status, LSM6DS3_ACC_GYRO_STATUS_REG);
  if (status & 1) {  // a new acceleration
    const uint32_t at = micros();
    const int16_t counts[6] = {imu.readRawAccelX(), imu.readRawAccelY(), imu.readRawAccelZ(),
                               imu.readRawGyroX(),  imu.readRawGyroY(),  imu.readRawGyroZ()};
    img2imu_device_sample(&device, at, counts);
  }
  img2imu_device_poll(&device);
}

// Arduino Nano 33 BLE Sense: its IMU over BLE. On the host: img2imu run ble:img2imu-nano
// Libraries: ArduinoBLE, and Arduino_LSM9DS1 (first revision) or Arduino_BMI270_BMM150 (Rev2).
// SPDX-License-Identifier: Apache-2.0
#include <ArduinoBLE.h>
#include <Arduino_LSM9DS1.h>  // Rev2: <Arduino_BMI270_BMM150.h>
#include <img2imu_device.h>

// Both libraries set 4 g and 2000 degrees/s, and give floats. ArduinoBLE does not tell the MTU: computers and
// phones agree upon 185 bytes or more. For a host that stays at 23, let SAMPLES be 1.
const int SAMPLES = 10;

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

int16_t count(float value) { return (int16_t)constrain(value, -32768.0f, 32767.0f); }

void setup() {
  if (!IMU.begin() || !BLE.begin()) {
    while (true) delay(1000);
  }
  BLE.setLocalName("img2imu-nano");
  BLE.setConnectionInterval(12, 24);  // 15 to 30 ms
  BLE.setAdvertisedService(service);
  service.addCharacteristic(requests);
  service.addCharacteristic(messages);
  BLE.addService(service);
  BLE.advertise();

  img2imu_info info = {};
  info.name = "img2imu-nano";
  info.boot_id = NRF_FICR->DEVICEADDR[0] ^ micros() ^ analogRead(A0) << 20;
  info.ticks_per_second = 1000000;
  info.rate_millihertz = (uint32_t)(IMU.accelerationSampleRate() * 1000);
  info.sensor_count = 2;
  info.sensors[0] = {IMG2IMU_ACC, 980665, 819200000};       // 8192 counts per g
  info.sensors[1] = {IMG2IMU_GYR, 1064225, 1000000000};     // 16.4 counts per degree/s
  const img2imu_board board = {send, now, NULL, NULL, NULL};
  img2imu_device_begin(&device, &info, &board, message, sizeof message, waiting, sizeof waiting);
}

void loop() {
  BLE.poll();
  if (requests.written()) {
    img2imu_device_message(&device, requests.value(), requests.valueLength());
  }
  if (IMU.accelerationAvailable() && IMU.gyroscopeAvailable()) {
    const uint32_t at = micros();
    float a[3], g[3];
    IMU.readAcceleration(a[0], a[1], a[2]);
    IMU.readGyroscope(g[0], g[1], g[2]);
    int16_t counts[6];
    for (int axis = 0; axis < 3; axis++) {
      counts[axis] = count(a[axis] * 8192.0f);
      counts[3 + axis] = count(g[axis] * 16.4f);
    }
    img2imu_device_sample(&device, at, counts);
  }
  img2imu_device_poll(&device);
}

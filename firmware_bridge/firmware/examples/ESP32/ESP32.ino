// ESP32 and an MPU-6050 on I2C, over BLE, or over USB serial with OVER_BLE 0. On the host:
//   img2imu run ble:img2imu-esp32        img2imu run "serial:///dev/ttyUSB0?baud=921600"
// Library: NimBLE-Arduino 2. SPDX-License-Identifier: Apache-2.0
#include <Wire.h>
#include <img2imu_device.h>

#ifndef OVER_BLE
#define OVER_BLE 1
#endif

const int SAMPLES = 10;
const uint8_t MPU = 0x68;

img2imu_device device;
uint8_t message[IMG2IMU_DATA_SIZE(SAMPLES, 6)];
uint8_t waiting[16 * IMG2IMU_QUEUED_SIZE(sizeof message)];

#if OVER_BLE
#include <NimBLEDevice.h>

// NimBLE calls from a task of its own: what it says waits here for loop().
struct Event {
  uint16_t mtu;
  uint8_t length, bytes[IMG2IMU_MAX_REQUEST];
};
QueueHandle_t events = xQueueCreate(8, sizeof(Event));
NimBLECharacteristic *messages;

class Server : public NimBLEServerCallbacks {
  void onConnect(NimBLEServer *, NimBLEConnInfo &connection) override { onMTUChange(23, connection); }
  void onMTUChange(uint16_t mtu, NimBLEConnInfo &) override {
    const Event event = {mtu, 0, {}};
    xQueueSend(events, &event, 0);
  }
  void onDisconnect(NimBLEServer *, NimBLEConnInfo &, int) override { NimBLEDevice::startAdvertising(); }
} server;

class Requests : public NimBLECharacteristicCallbacks {
  void onWrite(NimBLECharacteristic *characteristic, NimBLEConnInfo &) override {
    const NimBLEAttValue value = characteristic->getValue();
    Event event = {};
    if (value.size() <= sizeof event.bytes) {
      event.length = value.size();
      memcpy(event.bytes, value.data(), value.size());
      xQueueSend(events, &event, 0);
    }
  }
} requests;

int send(void *, const uint8_t *bytes, size_t length) { return messages->notify(bytes, length); }

void link_begin() {
  NimBLEDevice::init("img2imu-esp32");
  NimBLEDevice::setMTU(247);
  NimBLEServer *at = NimBLEDevice::createServer();
  at->setCallbacks(&server);
  NimBLEService *service = at->createService("6e400001-b5a3-f393-e0a9-e50e24dcca9e");
  messages = service->createCharacteristic("6e400003-b5a3-f393-e0a9-e50e24dcca9e", NIMBLE_PROPERTY::NOTIFY);
  service->createCharacteristic("6e400002-b5a3-f393-e0a9-e50e24dcca9e",
                                NIMBLE_PROPERTY::WRITE | NIMBLE_PROPERTY::WRITE_NR)->setCallbacks(&requests);
  NimBLEAdvertising *advertising = NimBLEDevice::getAdvertising();
  advertising->addServiceUUID(service->getUUID());
  advertising->setName("img2imu-esp32");
  advertising->enableScanResponse(true);
  advertising->start();
}

void link_poll() {
  Event event;
  while (xQueueReceive(events, &event, 0)) {
    if (event.mtu) img2imu_device_set_limit(&device, IMG2IMU_NOTIFICATION(event.mtu));
    else img2imu_device_message(&device, event.bytes, event.length);
  }
}
#else
int send(void *, const uint8_t *bytes, size_t length) {
  uint8_t frame[IMG2IMU_FRAME_SIZE(sizeof message)];
  const size_t size = img2imu_encode_frame(bytes, length, frame, sizeof frame);
  if ((size_t)Serial.availableForWrite() < size) return 0;
  return Serial.write(frame, size) == size;
}

void link_begin() {
  Serial.setTxBufferSize(1024);
  Serial.begin(921600);
  Serial.write((uint8_t)0);  // ends what the boot loader printed
}

void link_poll() {
  while (Serial.available()) img2imu_device_byte(&device, Serial.read());
}
#endif

uint32_t now(void *) { return micros(); }

void mpu_write(uint8_t reg, uint8_t value) {
  Wire.beginTransmission(MPU);
  Wire.write(reg);
  Wire.write(value);
  Wire.endTransmission();
}

bool mpu_read(uint8_t reg, uint8_t *bytes, uint8_t length) {
  Wire.beginTransmission(MPU);
  Wire.write(reg);
  if (Wire.endTransmission(false) != 0 || Wire.requestFrom(MPU, length) != length) return false;
  for (uint8_t i = 0; i < length; i++) bytes[i] = Wire.read();
  return true;
}

int16_t big_endian(const uint8_t *bytes) { return (int16_t)(bytes[0] << 8 | bytes[1]); }

void setup() {
  Wire.begin();
  Wire.setClock(400000);
  mpu_write(0x6B, 1);     // awake, clock of the gyroscope
  mpu_write(0x1A, 3);     // filter at 44 Hz, 1 kHz inside
  mpu_write(0x19, 9);     // every 10th: 100 Hz
  mpu_write(0x1B, 0x18);  // 2000 degrees/s
  mpu_write(0x1C, 0x08);  // 4 g
  mpu_write(0x38, 1);     // data-ready shows in its status
  link_begin();

  img2imu_info info = {};
  info.name = "img2imu-esp32";
  info.boot_id = esp_random();
  info.ticks_per_second = 1000000;
  info.rate_millihertz = 100000;
  info.sensor_count = 2;
  info.sensors[0] = {IMG2IMU_ACC, 980665, 819200000};    // 8192 counts per g
  info.sensors[1] = {IMG2IMU_GYR, 1064225, 1000000000};  // 16.4 counts per degree/s
  const img2imu_board board = {send, now, NULL, NULL, NULL};
  img2imu_device_begin(&device, &info, &board, message, sizeof message, waiting, sizeof waiting);
#if OVER_BLE
  img2imu_device_set_limit(&device, IMG2IMU_NOTIFICATION(23));  // until the host asks for more
#endif
}

void loop() {
  link_poll();
  uint8_t status = 0, raw[14];
  if (mpu_read(0x3A, &status, 1) && (status & 1) && mpu_read(0x3B, raw, sizeof raw)) {
    const uint32_t at = micros();
    const int16_t counts[6] = {big_endian(raw),     big_endian(raw + 2),  big_endian(raw + 4),
                               big_endian(raw + 8), big_endian(raw + 10), big_endian(raw + 12)};
    img2imu_device_sample(&device, at, counts);
  }
  img2imu_device_poll(&device);
}

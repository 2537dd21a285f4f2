// What the examples use of Arduino's core: enough to check their syntax and types, and no more.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#define constrain(x, low, high) ((x) < (low) ? (low) : (x) > (high) ? (high) : (x))
const uint8_t A0 = 14;
uint32_t micros();
int analogRead(uint8_t pin);
void delay(unsigned long ms);
uint32_t esp_random();
struct HardwareSerial {
  void begin(unsigned long baud);
  size_t setTxBufferSize(size_t size);
  int available();
  int availableForWrite();
  int read();
  size_t write(uint8_t byte);
  size_t write(const uint8_t *bytes, size_t size);
};
extern HardwareSerial Serial;
struct Ficr {
  volatile uint32_t DEVICEADDR[2];
};
extern Ficr *NRF_FICR;
typedef void *QueueHandle_t;
QueueHandle_t xQueueCreate(uint32_t length, uint32_t size);
int xQueueSend(QueueHandle_t queue, const void *item, uint32_t ticks);
int xQueueReceive(QueueHandle_t queue, void *item, uint32_t ticks);

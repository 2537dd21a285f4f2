#pragma once
#include "Arduino.h"
struct TwoWire {
  bool begin();
  bool setClock(uint32_t hertz);
  void beginTransmission(uint8_t address);
  uint8_t endTransmission(bool stop = true);
  uint8_t requestFrom(uint8_t address, uint8_t length);
  size_t write(uint8_t byte);
  int read();
};
extern TwoWire Wire;

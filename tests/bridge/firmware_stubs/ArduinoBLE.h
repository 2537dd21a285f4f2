#pragma once
#include "Arduino.h"
enum { BLEWriteWithoutResponse = 4, BLEWrite = 8, BLENotify = 16 };
struct BLECharacteristic {
  BLECharacteristic(const char *uuid, uint16_t properties, int size);
  const uint8_t *value() const;
  int valueLength() const;
  int writeValue(const uint8_t value[], int length, bool withResponse = true);
  bool written();
  bool subscribed();
};
struct BLEService {
  BLEService(const char *uuid);
  void addCharacteristic(BLECharacteristic &characteristic);
};
struct BLELocalDevice {
  int begin();
  void poll();
  bool connected() const;
  void setLocalName(const char *name);
  void setConnectionInterval(uint16_t least, uint16_t most);
  void setAdvertisedService(const BLEService &service);
  void addService(BLEService &service);
  int advertise();
};
extern BLELocalDevice &BLE;

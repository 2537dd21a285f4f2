#pragma once
#include "Arduino.h"
namespace NIMBLE_PROPERTY {
enum { WRITE_NR = 4, WRITE = 8, NOTIFY = 16 };
}
struct NimBLEConnInfo {};
struct NimBLEUUID {};
struct NimBLEAttValue {
  const uint8_t *data() const;
  uint16_t size() const;
};
struct NimBLECharacteristic;
struct NimBLECharacteristicCallbacks {
  virtual void onWrite(NimBLECharacteristic *characteristic, NimBLEConnInfo &connection);
};
struct NimBLECharacteristic {
  NimBLEAttValue getValue() const;
  bool notify(const uint8_t *value, size_t length) const;
  void setCallbacks(NimBLECharacteristicCallbacks *callbacks);
};
struct NimBLEService {
  NimBLECharacteristic *createCharacteristic(const char *uuid, uint32_t properties);
  const NimBLEUUID &getUUID() const;
};
struct NimBLEServer;
struct NimBLEServerCallbacks {
  virtual void onConnect(NimBLEServer *server, NimBLEConnInfo &connection);
  virtual void onDisconnect(NimBLEServer *server, NimBLEConnInfo &connection, int reason);
  virtual void onMTUChange(uint16_t mtu, NimBLEConnInfo &connection);
};
struct NimBLEServer {
  void setCallbacks(NimBLEServerCallbacks *callbacks);
  NimBLEService *createService(const char *uuid);
};
struct NimBLEAdvertising {
  bool addServiceUUID(const NimBLEUUID &uuid);
  bool setName(const char *name);
  void enableScanResponse(bool enable);
  bool start();
};
struct NimBLEDevice {
  static bool init(const char *name);
  static bool setMTU(uint16_t mtu);
  static NimBLEServer *createServer();
  static NimBLEAdvertising *getAdvertising();
  static bool startAdvertising();
};

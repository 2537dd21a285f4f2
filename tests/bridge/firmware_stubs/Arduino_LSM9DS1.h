#pragma once
struct LSM9DS1Class {
  int begin();
  int accelerationAvailable();
  int gyroscopeAvailable();
  int readAcceleration(float &x, float &y, float &z);
  int readGyroscope(float &x, float &y, float &z);
  float accelerationSampleRate();
};
extern LSM9DS1Class IMU;

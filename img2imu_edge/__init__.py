"""img2imu-edge: turn a wearable's motion into decisions, on the device."""

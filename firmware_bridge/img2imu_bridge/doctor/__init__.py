"""`img2imu doctor`: one page on how a source is doing, and what to do about it."""

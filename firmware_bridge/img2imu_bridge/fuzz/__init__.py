"""Fuzzing: every decoder is fed bytes that no device would send, and must refuse or understand them.

`python -m img2imu_bridge.fuzz --packets 1000000` does it at length, and says how fast each decoder is on
good packets. `python -m img2imu_bridge.fuzz.guided` lets libFuzzer look for bytes that reach new code.
"""

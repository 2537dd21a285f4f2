"""What parsing costs: from raw serial bytes to timed samples in SI units."""

from __future__ import annotations

import time

import numpy as np

from img2imu_bridge.wire.framing import FrameReader, encode_frame
from img2imu_bridge.wire.messages import Data, Info, Kind, SensorInfo, decode, encode_data
from img2imu_bridge.wire.stream import StreamDecoder

BATCH = 10
"""Samples in a message; six axes of 16 bits each."""

_MESSAGES = 5000
_READ = 4096
_RUNS = 3


def parse_throughput() -> dict[str, float]:
    """Samples and bytes a second, read in chunks as a busy port hands them over; the best of some runs."""
    info = Info("bench", (SensorInfo(Kind.ACC, 1, 400), SensorInfo(Kind.GYR, 1, 1000)), 50.0, 1_000_000)
    counts = np.random.default_rng(0).integers(-20000, 20000, (BATCH, 6)).astype(np.int16)
    stream = b"".join(
        encode_frame(encode_data(n * BATCH, n * BATCH * 20_000, counts)) for n in range(_MESSAGES)
    )
    seconds = min(_parse(stream, info) for _ in range(_RUNS))
    return {
        "parse_samples_per_s": round(_MESSAGES * BATCH / seconds),
        "parse_bytes_per_s": round(len(stream) / seconds),
    }


def _parse(stream: bytes, info: Info) -> float:
    frames, decoder = FrameReader(), StreamDecoder(info)
    begin = time.perf_counter()
    for start in range(0, len(stream), _READ):
        messages = [decode(message) for message in frames.push(stream[start : start + _READ])]
        decoder.push_many([message for message in messages if isinstance(message, Data)])
    return time.perf_counter() - begin

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
    """How fast it goes; the best of some runs.

    Returns:
        Samples and bytes a second, read in chunks as a busy port hands them over; and messages a second that
        come one by one, as they do in real time.
    """
    info = Info("bench", (SensorInfo(Kind.ACC, 1, 400), SensorInfo(Kind.GYR, 1, 1000)), 50.0, 1_000_000)
    counts = np.random.default_rng(0).integers(-20000, 20000, (BATCH, 6)).astype(np.int16)
    frames = [encode_frame(encode_data(n * BATCH, n * BATCH * 20_000, counts)) for n in range(_MESSAGES)]
    stream = b"".join(frames)
    chunks = [stream[start : start + _READ] for start in range(0, len(stream), _READ)]
    busy, lone = (min(_parse(reads, info) for _ in range(_RUNS)) for reads in (chunks, frames))
    return {
        "parse_samples_per_s": round(_MESSAGES * BATCH / busy),
        "parse_bytes_per_s": round(len(stream) / busy),
        "parse_lone_messages_per_s": round(_MESSAGES / lone),
    }


def _parse(reads: list[bytes], info: Info) -> float:
    frames, decoder = FrameReader(), StreamDecoder(info)
    begin = time.perf_counter()
    for data in reads:
        messages = [decode(message) for message in frames.push(data)]
        decoder.push_many([message for message in messages if isinstance(message, Data)])
    return time.perf_counter() - begin

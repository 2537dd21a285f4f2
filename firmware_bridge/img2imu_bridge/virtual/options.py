"""The virtual wearable's knobs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from img2imu_bridge.options import REAL_TIME, Speed

_MOST_SKEW_PPM: Final = 100_000


@dataclass(frozen=True, slots=True)
class VirtualOptions:
    """What the wearable plays, how fast, and how bad it and its link are.

    Attributes:
        recording: The CSV to play; the shipped one if empty.
        speed: Times faster than life; 0 or `max` for as fast as the host takes it.
        batch: Samples in one message.
        loops: How often to play the recording, one after the other.
        loss: Share of messages that the device drops, as when its queue overflows.
        duplicate: Share of messages sent twice.
        reorder: Share of messages sent after the one that follows them.
        bit_errors: Share of frames that arrive with one bit wrong.
        jitter_ms: Messages leave late by up to this many milliseconds.
        skew_ppm: How much faster than the host's the device's clock runs, in parts per million.
        unplug_every_s: Seconds of recording between unplugging; 0 for never.
        unplug_for_s: Seconds of recording that pass unseen each time.
        queue: Messages that the device holds while the host does not take them; it drops what comes then, as
            a real device would. 0 to wait instead.
        seed: Of the faults, so that a run can be repeated.
    """

    recording: str = ""
    speed: Speed = REAL_TIME
    batch: int = 10
    loops: int = 1
    loss: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    bit_errors: float = 0.0
    jitter_ms: float = 0.0
    skew_ppm: float = 0.0
    unplug_every_s: float = 0.0
    unplug_for_s: float = 2.0
    queue: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        shares = (self.loss, self.duplicate, self.reorder, self.bit_errors)
        if not all(0 <= share <= 1 for share in shares):
            raise ValueError("loss, duplicate, reorder and bit_errors are shares from 0 to 1")
        if self.batch < 1 or self.loops < 1 or self.queue < 0:
            raise ValueError("batch and loops must be at least 1, and queue not negative")
        seconds = (self.jitter_ms, self.unplug_every_s, self.unplug_for_s)
        if not all(0 <= value < math.inf for value in seconds):
            raise ValueError("jitter_ms, unplug_every_s and unplug_for_s must not be negative")
        if not abs(self.skew_ppm) <= _MOST_SKEW_PPM:
            raise ValueError(f"skew_ppm must be from -{_MOST_SKEW_PPM} to {_MOST_SKEW_PPM}")

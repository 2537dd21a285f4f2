"""The virtual wearable's knobs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class VirtualOptions:
    """What the wearable plays, how fast, and how bad it and its link are.

    Attributes:
        recording: The CSV to play; the shipped one if empty.
        speed: Times faster than life; 0 for as fast as the host takes it.
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
        seed: Of the faults, so that a run can be repeated.
    """

    recording: str = ""
    speed: float = 1.0
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
    seed: int = 0

    def __post_init__(self) -> None:
        shares = (self.loss, self.duplicate, self.reorder, self.bit_errors)
        if not all(0 <= share <= 1 for share in shares):
            raise ValueError("loss, duplicate, reorder and bit_errors are shares from 0 to 1")
        if self.speed < 0 or self.batch < 1 or self.loops < 1 or self.jitter_ms < 0:
            raise ValueError("speed and jitter_ms must not be negative; batch and loops must be at least 1")
        if self.unplug_every_s < 0 or self.unplug_for_s < 0:
            raise ValueError("unplug_every_s and unplug_for_s must not be negative")

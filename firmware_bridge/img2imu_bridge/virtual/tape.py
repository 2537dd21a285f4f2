"""Tape: a recording as the device's sensor would have produced it, in raw counts and ticks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from img2imu_bridge.wire.messages import DATA_HEADER, MAX_MESSAGE, Info, Kind, SensorInfo
from img2imu_edge.errors import RecordingError
from img2imu_edge.recording import Recording

TICKS_PER_SECOND = 1_000_000
_FULL_SCALE = 32767
_DECIMALS = 4
_MOST_SAMPLES = 20_000_000  # half a gigabyte; nearly five days at 50 Hz


@dataclass(frozen=True, slots=True)
class Tape:
    """What the device will send.

    Attributes:
        info: The device's description, before the first sample.
        counts: (samples, axes) int16.
        ticks: (samples,) the device's clock at each sample.
        index: (samples,) the device's number of each sample; it skips what the recording lacks.
        made: Samples that the device takes in all, those that the recording lacks included.
    """

    info: Info
    counts: NDArray[np.int16]
    ticks: NDArray[np.int64]
    index: NDArray[np.int64]
    made: int

    @property
    def most_samples(self) -> int:
        """How many samples fit a message."""
        return (MAX_MESSAGE - DATA_HEADER) // self.info.sample_size


def make_tape(recording: Recording, loops: int, boot_id: int, first: int = 0) -> Tape:
    """Turn a recording into counts and ticks.

    Values that are decimal numbers come back exactly after the wire, if the sensor's range allows; times are
    exact to a microsecond.

    Args:
        recording: What is sensed.
        loops: How often, one after the other.
        boot_id: Tells the device's power-ups apart.
        first: The device's number of the first sample.

    Raises:
        RecordingError: If a sensor of the recording has fewer than three axes, or is of an unknown kind, or
            if it is more samples than memory should hold.
    """
    if loops * len(recording) > _MOST_SAMPLES:
        raise RecordingError(
            f"loops={loops} of {recording.name} is more than {_MOST_SAMPLES // 10**6} million samples; "
            f"at most loops={_MOST_SAMPLES // len(recording)} can be played"
        )
    sensors, columns = [], []
    for kind in Kind:
        names = [f"{kind.name.lower()}_{axis}" for axis in "xyz"]
        present = [recording.channels.index(name) for name in names if name in recording.channels]
        if present and len(present) < len(names):
            raise RecordingError(
                f"{recording.name}: a wearable's sensor has three axes; {names} are not all there"
            )
        if present:
            values = recording.values[:, present].astype(np.float64)
            sensors.append(SensorInfo(kind, *scale_of(values)))
            columns.append(np.rint(values * (sensors[-1].den / sensors[-1].num)))
    steps = np.rint(np.diff(recording.times) * recording.rate).clip(min=1).astype(np.int64)
    index = np.concatenate([[0], np.cumsum(steps)])
    ticks = np.rint(recording.times * TICKS_PER_SECOND).astype(np.int64)
    ticks -= min(ticks[0], 0)  # a device's clock does not start before zero
    per_loop = int(index[-1]) + 1
    lap = int(ticks[-1] - ticks[0]) + round(TICKS_PER_SECOND / recording.rate)
    counts = np.concatenate(columns, axis=1).astype(np.int16)
    info = Info(
        recording.name, tuple(sensors), recording.rate, TICKS_PER_SECOND, boot_id, int(ticks[0]), first
    )
    return Tape(
        info=info,
        counts=np.tile(counts, (loops, 1)),
        ticks=np.concatenate([ticks + n * lap for n in range(loops)]),
        index=np.concatenate([first + index + n * per_loop for n in range(loops)]),
        made=loops * per_loop,
    )


def scale_of(values: NDArray[np.float64]) -> tuple[int, int]:
    """Numerator and denominator of a sensor's least count, the coarsest that keeps decimal values exact.

    Where no decimal step fits 16 bits, the finest 1/n that spans the values.
    """
    largest = float(np.abs(values).max()) or 1.0
    for decimals in range(_DECIMALS + 1):
        unit = 10**decimals
        whole = np.rint(values * unit)
        # No further from a whole number than rounding to float32 took them.
        if np.abs(values * unit - whole).max() <= 1.01 * 2**-24 * unit * largest:
            step = int(np.gcd.reduce(whole.astype(np.int64), axis=None)) or 1
            divisor = int(np.gcd(step, unit))
            if largest * unit / step <= _FULL_SCALE:
                return step // divisor, unit // divisor
    return (1, int(_FULL_SCALE / largest)) if largest < _FULL_SCALE else (int(largest / _FULL_SCALE) + 1, 1)

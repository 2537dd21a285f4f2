"""What is remembered of one second of samples."""

from __future__ import annotations

import math
from typing import Final, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

STILL: Final = 0.05
"""A second is still if the acceleration deviates from its mean by less than this share of it (rms)."""

_GAP: Final = 1.5


class Sensors(NamedTuple):
    """Columns of the accelerometer and of the gyroscope, x y z; empty without one."""

    acc: list[int]
    gyr: list[int]


class Second(NamedTuple):
    """One second in a few numbers.

    Attributes:
        rate: Samples a second where none is missing.
        least: (channels,) smallest values.
        most: (channels,) largest values.
        level: Length of the accelerometer's mean.
        unrest: Its rms deviation from that mean.
        spin: Length of the gyroscope's mean.
        turned: By how much gravity's direction turned from one half to the other, in rad, as it was seen.
        spun: By how much it did by the gyroscope.
    """

    rate: float
    least: NDArray[np.float32]
    most: NDArray[np.float32]
    level: float
    unrest: float
    spin: float
    turned: float
    spun: float

    @property
    def still(self) -> bool:
        """Whether the sensor was at rest, whatever the unit."""
        return self.level > 0 and self.unrest < STILL * self.level

    @classmethod
    def of(cls, times: NDArray[np.float64], values: NDArray[np.float32], sensors: Sensors) -> Self:
        """Sum up some samples: (n,) seconds and (n, channels) values."""
        steps = np.sort(times[1:] - times[:-1])
        usual = float(steps[(len(steps) - 1) // 2] + steps[len(steps) // 2]) / 2
        acc = values[:, sensors.acc].astype(np.float64)
        gyr = values[:, sensors.gyr].astype(np.float64)
        mean = acc.mean(axis=0)
        both = bool(sensors.acc and sensors.gyr)
        turned, spun = _turn(acc, gyr, usual) if both else (0.0, 0.0)
        return cls(
            rate=1 / float(steps[: steps.searchsorted(_GAP * usual)].mean()),
            least=values.min(axis=0),
            most=values.max(axis=0),
            level=math.hypot(*mean.tolist()),
            unrest=math.hypot(*(acc - mean).ravel().tolist()) / math.sqrt(len(acc)),
            spin=math.hypot(*gyr.mean(axis=0).tolist()),
            turned=turned,
            spun=spun,
        )


def _turn(acc: NDArray[np.float64], gyr: NDArray[np.float64], step: float) -> tuple[float, float]:
    """The angle between the mean directions of gravity in both halves: as seen, and by the gyroscope.

    A direction that is fixed in space turns by the part of the angular rate that is across it.
    """
    half = len(acc) // 2
    before, after = acc[:half].mean(axis=0).tolist(), acc[half:].mean(axis=0).tolist()
    sizes = math.hypot(*before) * math.hypot(*after)
    middle = [one + other for one, other in zip(before, after, strict=True)]
    length = math.hypot(*middle)
    if not sizes or not length:
        return 0.0, 0.0
    cosine = sum(one * other for one, other in zip(before, after, strict=True)) / sizes
    turned = math.acos(min(max(cosine, -1.0), 1.0))
    rate = gyr[half // 2 : half // 2 + half].mean(axis=0).tolist()  # between the middles of both halves
    across = math.hypot(*(rate[i - 1] * middle[i] - rate[i] * middle[i - 1] for i in range(3))) / length
    return turned, across * half * step

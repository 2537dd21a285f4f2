"""SampleBlock: a run of timed motion samples in SI units, the currency between all parts."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ACCELEROMETER = ("acc_x", "acc_y", "acc_z")
"""Specific force in m/s², gravity included: an axis that points up at rest reads +9.81."""

GYROSCOPE = ("gyr_x", "gyr_y", "gyr_z")
"""Angular rate in rad/s, right-handed about the accelerometer's axes."""

STANDARD_GRAVITY = 9.80665
"""m/s² in one g (CGPM 1901)."""


@dataclass(frozen=True, slots=True)
class SampleBlock:
    """Consecutive samples of one wearable.

    Attributes:
        times: (samples,) float64, seconds on the device's own clock, strictly increasing.
        values: (samples, channels) float32, SI units.
        channels: Name of each column, such as `acc_x` (m/s²) or `gyr_z` (rad/s).
        lost: Samples known to be missing right before the first one of this block.
        received: `time.monotonic()` on the host when the block's last byte arrived; NaN for a recording.
    """

    times: NDArray[np.float64]
    values: NDArray[np.float32]
    channels: tuple[str, ...]
    lost: int = 0
    received: float = math.nan

    def __post_init__(self) -> None:
        if self.values.shape != (len(self.times), len(self.channels)):
            raise ValueError(
                f"values have shape {self.values.shape}, but there are {len(self.times)} times "
                f"and {len(self.channels)} channels"
            )

    def __len__(self) -> int:
        return len(self.times)

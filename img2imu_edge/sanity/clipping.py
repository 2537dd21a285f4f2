"""Samples that stand at the largest value that an axis ever had, again and again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from img2imu_edge.samples import STANDARD_GRAVITY
from img2imu_edge.sanity.finding import Finding
from img2imu_edge.sanity.second import Sensors

_RUNS: Final = 5
_ABOVE_ACC: Final = 1.4 * STANDARD_GRAVITY  # m/s²; an axis at rest may stand at 1 g for long
_ABOVE_GYR: Final = 2.0  # rad/s
_SAME: Final = 1e-3


class Clipping:
    """Counts, for each axis, runs of two samples and more within 0.1 % of its extreme so far.

    A motion's peak has one sample at the extreme, and the next peak is higher or lower.
    """

    def __init__(self, channels: Sequence[str], sensors: Sensors) -> None:
        self._columns = [*sensors.acc, *sensors.gyr]
        self._names = [channels[column] for column in self._columns]
        self._above = np.array([_ABOVE_ACC] * len(sensors.acc) + [_ABOVE_GYR] * len(sensors.gyr))
        self._extremes = np.zeros(len(self._columns))
        self._runs = np.zeros(len(self._columns), np.int64)

    def push(self, values: NDArray[np.float32]) -> None:
        """Look at more samples: (n, channels)."""
        sizes = np.nan_to_num(np.abs(values[:, self._columns]))
        largest = sizes.max(axis=0)
        self._runs[largest > self._extremes * (1 + _SAME)] = 0
        self._extremes = np.maximum(self._extremes, largest)
        at = sizes >= self._extremes * (1 - _SAME)
        begins = at[1:-1] & at[2:] & ~at[:-2]
        self._runs += begins.sum(axis=0)

    def judge(self) -> Iterator[Finding]:
        """One finding for each axis that clips."""
        for at in np.flatnonzero((self._runs >= _RUNS) & (self._extremes > self._above)):
            unit = "m/s²" if self._names[at].startswith("acc") else "rad/s"
            yield Finding(
                "clipping",
                f"{self._names[at]} stands at its limit of {self._extremes[at]:.4g} {unit} again and again: "
                "the motion exceeds the measuring range. Set a larger one on the device",
                self._names[at],
            )

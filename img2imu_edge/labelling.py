"""Labels that somebody gives while a recording is made."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from img2imu_edge.recording import UNLABELLED
from img2imu_edge.samples import SampleBlock

_REMEMBERED = 64


class Labelling:
    """Knows which label held when; a sample has the one that held when it would have arrived alone.

    Attributes:
        labels: Those to choose from.
    """

    def __init__(self, labels: Sequence[str], current: str = UNLABELLED) -> None:
        """Begin with a label, or none."""
        self.labels = tuple(labels)
        self._changes = [(-math.inf, current)]

    @property
    def current(self) -> str:
        """The label that holds now."""
        return self._changes[-1][1]

    def choose(self, label: str, at: float) -> None:
        """Have a label hold from now on.

        Args:
            label: One of the labels, or `UNLABELLED`.
            at: `time.monotonic()`.
        """
        if label != self.current:
            self._changes = [*self._changes[-_REMEMBERED:], (at, label)]

    def of(self, block: SampleBlock) -> list[str]:
        """The label of each sample; a block holds some of before the last key was pressed."""
        if math.isnan(block.received) or not len(block):
            return [self.current] * len(block)
        arrived = block.received - (block.times[-1] - block.times)
        since = np.array([at for at, _ in self._changes])
        which = np.searchsorted(since, arrived, side="right") - 1
        return [self._changes[i][1] for i in np.maximum(which, 0).tolist()]

"""Methods that are compared: each learns from a few labelled windows and names the classes of others."""

from __future__ import annotations

from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from img2imu_training.windows import Windows

Family = Literal["ours", "scratch", "images", "sensor", "classical"]
"""What a method starts from: our pre-training, nothing, images, sensor data, or an expert's features."""


class Method(Protocol):
    """One contestant.

    Attributes:
        name: For tables and as a key of results; unique.
        family: What it starts from.
    """

    name: str
    family: Family

    def prepare(self, rate: float) -> None:
        """Load or make what the method needs for windows at this rate in Hz; slow work is cached on disk."""
        ...

    def predict(
        self, train: Windows, test: Windows, rate: float, classes: int, seed: int
    ) -> NDArray[np.int64]:
        """Learn from `train`, then name the class of every window of `test`.

        Args:
            train: A few labelled windows.
            test: Windows of other people; a method must not look at their labels.
            rate: Sampling rate in Hz.
            classes: Number of classes.
            seed: Of all randomness.

        Returns:
            (test windows,) predicted class.
        """
        ...

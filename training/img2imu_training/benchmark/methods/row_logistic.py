"""Rows of the picture under logistic regression: the bar that every network on the picture has to clear."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from img2imu_edge.spec import SpectrogramSpec
from img2imu_edge.spectrogram import SpectrogramPlan
from img2imu_training.benchmark.methods import Family
from img2imu_training.benchmark.methods.linear import classify_linearly
from img2imu_training.windows import Pictures, Samples, Windows, pictures


class RowLogistic:
    """Mean and deviation over time of each row of the picture, standardised, and logistic regression.

    No network: what it reaches is what the picture alone is worth.

    Args:
        spec: The picture; its frame must fit into the windows.
    """

    name = "picture's rows + logistic regression"
    family: Family = "classical"

    def __init__(self, spec: SpectrogramSpec) -> None:
        self.spec = spec

    def prepare(self, rate: float) -> None:
        """Nothing is learned beforehand."""

    def predict(
        self, train: Windows, test: Windows, rate: float, classes: int, seed: int
    ) -> NDArray[np.int64]:
        """Classes (m,) of the test windows; see `Method`. The seed changes nothing."""
        seen, unseen = (self._features(windows.samples, rate) for windows in (train, test))
        return classify_linearly(seen, train.labels, unseen)

    def _features(self, samples: Samples, rate: float) -> NDArray[np.float32]:
        return rows_over_time(pictures(samples, SpectrogramPlan(self.spec, rate, samples.shape[2])))


def rows_over_time(shown: Pictures) -> NDArray[np.float32]:
    """Mean and deviation over the columns of pictures (n, 3, rows, columns): (n, 6 × rows)."""
    parts = [shown.mean(axis=3), shown.std(axis=3)]
    rows: NDArray[np.float32] = np.concatenate(parts, axis=1).reshape(len(shown), -1)
    return rows

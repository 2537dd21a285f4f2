"""Hand-crafted features under a random forest, and under logistic regression."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier

from img2imu_training.benchmark.methods import Family
from img2imu_training.benchmark.methods.features import hand_crafted
from img2imu_training.benchmark.methods.linear import classify_linearly
from img2imu_training.windows import Windows


class HandCraftedForest:
    """Hand-crafted features (167 a sensor) and a random forest (Breiman, 2001).

    Args:
        trees: Trees of the forest.
    """

    name = "hand-crafted + random forest"
    family: Family = "classical"

    def __init__(self, trees: int = 300) -> None:
        self.trees = trees

    def prepare(self, rate: float) -> None:
        """Nothing is learned beforehand."""

    def predict(
        self, train: Windows, test: Windows, rate: float, classes: int, seed: int
    ) -> NDArray[np.int64]:
        """Classes (m,) of the test windows; see `Method`."""
        forest = RandomForestClassifier(self.trees, class_weight="balanced", random_state=seed, n_jobs=1)
        forest.fit(hand_crafted(train.samples, rate), train.labels)
        labels: NDArray[np.int64] = forest.predict(hand_crafted(test.samples, rate)).astype(np.int64)
        return labels


class HandCraftedLinear:
    """The same features, standardised, and multinomial logistic regression.

    Args:
        inverse_penalty: scikit-learn's `C`.
    """

    name = "hand-crafted + logistic regression"
    family: Family = "classical"

    def __init__(self, inverse_penalty: float = 0.1) -> None:
        self.inverse_penalty = inverse_penalty

    def prepare(self, rate: float) -> None:
        """Nothing is learned beforehand."""

    def predict(
        self, train: Windows, test: Windows, rate: float, classes: int, seed: int
    ) -> NDArray[np.int64]:
        """Classes (m,) of the test windows; see `Method`. The seed changes nothing."""
        seen, unseen = (hand_crafted(windows.samples, rate) for windows in (train, test))
        return classify_linearly(seen, train.labels, unseen, self.inverse_penalty)

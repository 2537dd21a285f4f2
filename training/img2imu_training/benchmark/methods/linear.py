"""The linear classifier that stands on the features of several methods."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

Features = NDArray[np.float32] | NDArray[np.float64]


def classify_linearly(
    train: Features, labels: NDArray[np.int64], test: Features, inverse_penalty: float = 1.0
) -> NDArray[np.int64]:
    """Standardise features, fit a multinomial logistic regression, and classify others.

    Args:
        train: (n, features), all finite. Mean and deviation are taken from these alone.
        labels: (n,) classes of `train`.
        test: (m, features), all finite.
        inverse_penalty: scikit-learn's `C`: the larger, the weaker the squared penalty.

    Returns:
        (m,) classes of `test`. They depend on no random number. With a single class in `labels` they are all
        that class.
    """
    if len(np.unique(labels)) == 1:
        return np.full(len(test), labels[0], np.int64)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=inverse_penalty, max_iter=2000))
    model.fit(np.asarray(train, np.float64), labels)
    classes: NDArray[np.int64] = model.predict(np.asarray(test, np.float64)).astype(np.int64)
    return classes

"""MiniRocket: 9,996 features of fixed convolutions under a ridge classifier.

Dempster, Schmidt and Webb, "MINIROCKET: a very fast (almost) deterministic transform for time series
classification", KDD 2021, arXiv 2012.08791. The transform is aeon's; features are scaled without centring and
the ridge's strength is found by leave-one-out cross-validation, as the authors and aeon's own classifier do.

Its kernels sum to zero: it sees motion, and gravity's direction only where the padding lets it in.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from img2imu_edge.extras import extra
from img2imu_training.benchmark.methods import Family
from img2imu_training.windows import Samples, Windows

_ALPHAS = np.logspace(-3, 3, 10)


class MiniRocket:
    """MiniRocket for several channels, and ridge regression to ±1.

    Args:
        features: About how many features; aeon rounds down to a multiple of its 84 kernels.
    """

    name = "MiniRocket + ridge"
    family: Family = "classical"

    def __init__(self, features: int = 10_000) -> None:
        self.features = features

    def prepare(self, rate: float) -> None:
        """Compile the transform, so that no timing counts it.

        Raises:
            MissingExtraError: If aeon is not installed.
        """
        ramp = np.linspace(0, 1, 4 * 3 * 32, dtype=np.float32).reshape(4, 3, 32)
        _transform(self.features, seed=0).fit_transform(ramp)

    def predict(
        self, train: Windows, test: Windows, rate: float, classes: int, seed: int
    ) -> NDArray[np.int64]:
        """Classes (m,) of the test windows; see `Method`. The seed draws the kernels' biases and channels."""
        from sklearn.linear_model import RidgeClassifierCV
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        transform = _transform(self.features, seed)
        classifier = make_pipeline(StandardScaler(with_mean=False), RidgeClassifierCV(alphas=_ALPHAS))
        classifier.fit(transform.fit_transform(_channels_first(train.samples)), train.labels)
        features = transform.transform(_channels_first(test.samples))
        labels: NDArray[np.int64] = classifier.predict(features).astype(np.int64)
        return labels


def _channels_first(samples: Samples) -> Samples:
    return np.ascontiguousarray(samples.transpose(0, 2, 1), dtype=np.float32)


def _transform(features: int, seed: int) -> Any:
    """The transform of aeon; imported late, since that takes seconds and an extra."""
    with extra("benchmark", "MiniRocket"):
        from aeon.transformations.collection.convolution_based import MiniRocket as Transform
    return Transform(n_kernels=features, n_jobs=1, random_state=seed)

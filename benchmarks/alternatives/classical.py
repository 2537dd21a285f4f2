"""Other methods, learned from the demo's own windows when they are made: only their speed matters here."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from img2imu_training.benchmark.methods.features import hand_crafted
from numpy.typing import NDArray

from benchmarks.alternatives.ways import Answer, Array, Way
from benchmarks.alternatives.windowed import Rolling
from img2imu_edge.recording import demo_recording, read_recording

_WINDOW, _HOP = 250, 25
_FEATURES, _TREES = 10_000, 300


def minirocket() -> Way:
    """9,996 features of fixed convolutions, one window at a time, under a ridge classifier."""
    from aeon.transformations.collection.convolution_based import MiniRocket
    from sklearn.linear_model import RidgeClassifierCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    transform: Any = MiniRocket(n_kernels=_FEATURES, n_jobs=1, random_state=0)
    ridge: Any = make_pipeline(StandardScaler(with_mean=False), RidgeClassifierCV(np.logspace(-3, 3, 10)))

    def learn(windows: Array, labels: NDArray[np.str_]) -> None:
        ridge.fit(transform.fit_transform(_channels_first(windows)), labels)

    def look(window: Array) -> Answer:
        return Answer(str(ridge.predict(transform.transform(_channels_first(window[None])))[0]))

    return _way(learn, look)


def forest() -> Way:
    """167 features of motion a sensor under a random forest of 300 trees."""
    from sklearn.ensemble import RandomForestClassifier

    trees: Any = RandomForestClassifier(_TREES, random_state=0, n_jobs=1)
    rate = 50.0

    def learn(windows: Array, labels: NDArray[np.str_]) -> None:
        trees.fit(hand_crafted(windows, rate), labels)

    def look(window: Array) -> Answer:
        return Answer(str(trees.predict(hand_crafted(window[None], rate))[0]))

    return _way(learn, look)


def _way(learn: Callable[[Array, NDArray[np.str_]], None], look: Callable[[Array], Answer]) -> Way:
    begin = time.perf_counter()
    recording = read_recording(demo_recording())
    assert recording.labels is not None  # noqa: S101 - the demo has them
    starts = range(0, len(recording) - _WINDOW, _HOP)
    windows = np.stack([recording.values[start : start + _WINDOW] for start in starts])
    learn(windows, recording.labels[[start + _WINDOW // 2 for start in starts]])
    return Rolling(look, _WINDOW, time.perf_counter() - begin)


def _channels_first(windows: Array) -> Array:
    return np.ascontiguousarray(windows.transpose(0, 2, 1), dtype=np.float32)

"""Ours: a pre-trained backbone, the metric of formula-made motion, the head in closed form."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from img2imu_edge.spec import SpectrogramSpec
from img2imu_edge.spectrogram import SpectrogramPlan
from img2imu_training.bases import UNTRAINED, load_base
from img2imu_training.benchmark.methods import Family
from img2imu_training.fit import FitOptions, Learner, predict
from img2imu_training.windows import Windows, pictures

EMBEDDING = 128


class Ours:
    """What `img2imu finetune` does.

    Args:
        spec: The picture of the task.
        base: What the backbone starts from; see `load_base`. None is `tiny`.
        label: What to call it; the base's name by default.
        options: How it learns.
    """

    def __init__(
        self,
        spec: SpectrogramSpec,
        base: str | None = None,
        label: str = "",
        options: FitOptions | None = None,
    ) -> None:
        self.spec, self.options = spec, options or FitOptions()
        self.base = base or "tiny"
        self.name = f"ours ({label or self.base})"
        self.family: Family = "scratch" if self.base.startswith(UNTRAINED) else "ours"
        self._learners: dict[tuple[float, int, int], Learner] = {}

    def prepare(self, rate: float) -> None:
        """The metric is fitted with the first windows, whose axes and length it needs."""

    def predict(
        self, train: Windows, test: Windows, rate: float, classes: int, seed: int
    ) -> NDArray[np.int64]:
        """Classes (m,) of the test windows; see `Method`."""
        learner = self._learner(rate, train.samples.shape[1], train.samples.shape[2])
        net, _ = learner.fit(train, classes, seed)
        logits, _ = predict(net, pictures(test.samples, learner.plan))
        chosen: NDArray[np.int64] = logits.argmax(axis=1).astype(np.int64)
        return chosen

    def _learner(self, rate: float, samples: int, axes: int) -> Learner:
        """What learns windows of this kind; the metric is fitted once for all of them."""
        key = (rate, samples, axes)
        if key not in self._learners:
            plan = SpectrogramPlan(self.spec, rate, axes)
            columns = (samples - plan.frame) // plan.hop + 1
            self._learners[key] = Learner(load_base(self.base), plan, columns, EMBEDDING, self.options)
        return self._learners[key]

"""The same network from scratch: fresh weights, trained end to end on the labelled windows alone."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from img2imu_edge.spec import SpectrogramSpec
from img2imu_edge.spectrogram import SpectrogramPlan
from img2imu_training.backbones import BackboneName
from img2imu_training.benchmark.methods import Family
from img2imu_training.benchmark.methods.ours import EMBEDDING
from img2imu_training.fit import FitOptions, predict
from img2imu_training.network import Architecture, Network
from img2imu_training.tune import TuneOptions, tune
from img2imu_training.windows import Windows, pictures

OPTIONS = TuneOptions(steps=300, batch=64, rate=3e-3, fresh=True)
"""The loss has long settled by then."""


class Scratch:
    """The network, the varied windows and the picture of `Ours`; neither pre-training nor metric.

    Args:
        spec: The picture of the task.
        backbone: Its name; None is `tiny`.
        label: What to call it; the backbone's name by default.
        options: How it learns.
    """

    family: Family = "scratch"

    def __init__(
        self,
        spec: SpectrogramSpec,
        backbone: BackboneName | None = None,
        label: str = "",
        options: TuneOptions = OPTIONS,
    ) -> None:
        self.spec, self.options = spec, options
        self.backbone: BackboneName = backbone or "tiny"
        self.name = f"from scratch ({label or self.backbone})"

    def prepare(self, rate: float) -> None:
        """Nothing is learned beforehand."""

    def predict(
        self, train: Windows, test: Windows, rate: float, classes: int, seed: int
    ) -> NDArray[np.int64]:
        """Classes (m,) of the test windows; see `Method`."""
        plan = SpectrogramPlan(self.spec, rate, train.samples.shape[2])
        torch.manual_seed(seed)
        net = Network(
            Architecture(
                backbone=self.backbone,
                classes=classes,
                sensors=plan.axes // 3,
                rows=plan.rows,
                levels=plan.spec.level_rows,
                columns=(train.samples.shape[1] - plan.frame) // plan.hop + 1,
                embedding=EMBEDDING,
            )
        )
        tune(net, train, plan, self.options, FitOptions().augmentation, np.random.default_rng(seed))
        logits, _ = predict(net, pictures(test.samples, plan))
        chosen: NDArray[np.int64] = logits.argmax(axis=1).astype(np.int64)
        return chosen

"""Probes: what a backbone's features are worth on labelled recordings of people they never saw."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from torch import nn

from img2imu_edge.errors import TrainingError
from img2imu_edge.samples import ACCELEROMETER, GYROSCOPE
from img2imu_edge.spec import SpectrogramSpec
from img2imu_edge.spectrogram import SpectrogramPlan
from img2imu_training.backbones import row_features
from img2imu_training.evaluate import macro_f1
from img2imu_training.pretrain.views import Layout
from img2imu_training.recipe import load_corpus
from img2imu_training.recordings import Corpus
from img2imu_training.windows import Pictures, cut, pictures, window_samples

_SEEDS = 5
_MOST = 1500


@dataclass(frozen=True, slots=True)
class Probe:
    """Labelled pictures of one corpus.

    Attributes:
        name: Of the corpus.
        pictures: (n, 3, rows, columns).
        labels: (n,) class.
        subjects: (n,) who wore the sensor.
        classes: Number of classes.
    """

    name: str
    pictures: Pictures
    labels: NDArray[np.int64]
    subjects: NDArray[np.str_]
    classes: int

    def score(self, backbone: nn.Module, per_class: int = 10) -> dict[str, float]:
        """Macro-F1 of a linear model and of 5 nearest neighbours (cosine) on frozen features.

        Half of the people, drawn anew for each of five seeds, give `per_class` windows of each class; the
        others' windows are the test. Features are the means over time of the backbone's map, standardised on
        the training windows.

        Args:
            backbone: Its mode (training or not) is left as it was.
            per_class: Labelled windows of each class.
        """
        found = features(backbone, self.pictures)
        scores = [self._once(found, per_class, seed) for seed in range(_SEEDS)]
        linear, neighbours = np.mean(scores, axis=0)
        return {"linear": round(float(linear), 4), "neighbours": round(float(neighbours), 4)}

    def _once(self, found: NDArray[np.float32], per_class: int, seed: int) -> tuple[float, float]:
        rng = np.random.default_rng(seed)
        people = rng.permutation(np.unique(self.subjects))
        mine = np.isin(self.subjects, people[: len(people) // 2])
        chosen = np.concatenate(
            [
                rng.permutation(np.flatnonzero(mine & (self.labels == label)))[:per_class]
                for label in range(self.classes)
            ]
        )
        train, test = found[chosen], found[~mine]
        mean, deviation = train.mean(axis=0), train.std(axis=0) + 1e-4
        train, test = (train - mean) / deviation, (test - mean) / deviation
        models = LogisticRegression(max_iter=200), KNeighborsClassifier(5, metric="cosine")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # separable with few windows; near enough
            linear, neighbours = (
                macro_f1(
                    self.labels[~mine], model.fit(train, self.labels[chosen]).predict(test), self.classes
                )
                for model in models
            )
        return linear, neighbours


def make_probe(corpus: Corpus, spec: SpectrogramSpec, layout: Layout) -> Probe:
    """A probe of a corpus, at most 1,500 windows half a window apart.

    Raises:
        TrainingError: If the pictures of this spectrogram do not fit the layout, or there is one person.
    """
    channels = ACCELEROMETER + GYROSCOPE if layout.sensors == 2 else ACCELEROMETER
    corpus = corpus.only(channels)
    plan = SpectrogramPlan(spec, corpus.rate, len(channels))
    if plan.rows * layout.sensors != layout.rows:
        raise TrainingError(
            f"a probe needs pictures of {plan.rows} rows (two sensors: {2 * plan.rows}), not {layout.rows}"
        )
    if len(corpus.subjects) < 2:
        raise TrainingError(f"{corpus.name} has one subject; a probe needs two to keep people apart")
    length = window_samples(plan, layout.columns)
    windows = cut(corpus, length, length // 2)
    if len(windows) > _MOST:
        windows = windows.take(np.sort(np.random.default_rng(0).permutation(len(windows))[:_MOST]))
    return Probe(
        corpus.name, pictures(windows.samples, plan), windows.labels, windows.subjects, len(corpus.classes)
    )


def load_probes(
    names: tuple[str, ...], data: Path | None, spec: SpectrogramSpec, layout: Layout
) -> list[Probe]:
    """Probes of corpora by name: `spar`, or files and folders in the data directory.

    Raises:
        RecordingError: If one cannot be read, or the data directory is needed and not given.
        TrainingError: See `make_probe`.
    """
    return [make_probe(load_corpus(name, data), spec, layout) for name in names]


@torch.inference_mode()
def features(backbone: nn.Module, shown: Pictures) -> NDArray[np.float32]:
    """Row features (n, channels × rows) of pictures, in float32 on the backbone's device."""
    was_training = backbone.training
    backbone.eval()
    device = next(backbone.parameters()).device
    parts = [
        row_features(backbone(torch.from_numpy(shown[start : start + 256]).to(device))).cpu()
        for start in range(0, len(shown), 256)
    ]
    backbone.train(was_training)
    found: NDArray[np.float32] = torch.cat(parts).numpy()
    return found

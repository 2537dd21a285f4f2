"""Training of a network on labelled windows: its head in closed form, then, with enough labels, all of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from img2imu_edge.spectrogram import SpectrogramPlan
from img2imu_training.augment import Augmentation, vary
from img2imu_training.backbones import Backbone
from img2imu_training.head import HeadOptions, features, fit_head
from img2imu_training.metric import Features, Metric, fit_metric, formula_pairs
from img2imu_training.network import WHOLE, Architecture, Network, Pooling
from img2imu_training.tune import Progress, TuneOptions, Tuning, tune
from img2imu_training.windows import Pictures, Windows, pictures


@dataclass(frozen=True, slots=True)
class FitOptions:
    """How to train.

    Attributes:
        head: The closed form.
        tune: Gradient descent on the whole network afterwards; with 0 steps the backbone stays frozen.
        augmentation: How windows are varied, in both.
    """

    head: HeadOptions = field(default_factory=HeadOptions)
    tune: TuneOptions = field(default_factory=TuneOptions)
    augmentation: Augmentation = field(
        default_factory=lambda: Augmentation(rotate_deg=15.0, scale=0.2, stretch=0.15, noise=0.1)
    )


class Learner:
    """Learns tasks from a pre-trained backbone; the metric is fitted once and serves them all.

    Args:
        base: Where the backbone starts; it is left as it is.
        plan: Turns samples to pictures.
        columns: Columns of a picture.
        embedding: Length of the embedding; less where the windows do not span as much.
        options: How to train.
        pooling: What the head sees of the backbone's map.
    """

    def __init__(
        self,
        base: Backbone,
        plan: SpectrogramPlan,
        columns: int,
        embedding: int,
        options: FitOptions,
        pooling: Pooling = WHOLE,
    ) -> None:
        self.base, self.plan, self.columns = base.eval(), plan, columns
        self.embedding, self.options, self.pooling = embedding, options, pooling

    @cached_property
    def metric(self) -> Metric:
        """The metric of the frozen backbone's features."""
        return fit_metric(*self._formula, self.options.head.shrinkage)

    @cached_property
    def _formula(self) -> tuple[Features, Features]:
        """Features of formula-made pairs."""
        net = self._network(classes=2, embedding=1)
        first, second = formula_pairs(self.plan, self.columns, self.options.head.pairs, seed=0)
        return features(net, first), features(net, second)

    @cached_property
    def _strangers(self) -> Features:
        """Formula-made motion in the metric's space."""
        return self.metric.apply(self._formula[0])

    def frozen(self) -> Learner:
        """The same for scores alone: no gradient descent, no eye for the unknown. It shares the metric."""
        options = replace(self.options, tune=replace(self.options.tune, steps=0))
        other = Learner(self.base, self.plan, self.columns, self.embedding, options, self.pooling)
        other.metric, other._strangers = self.metric, self._strangers[:0]
        return other

    def fit(
        self,
        windows: Windows,
        classes: int,
        seed: int,
        progress: Progress = lambda step, loss: None,
        validation: Windows | None = None,
    ) -> tuple[Network, Tuning]:
        """Train a network.

        Args:
            windows: Labelled windows of the training people.
            classes: Number of classes.
            seed: Of all randomness.
            progress: Called after each step of the gradient descent with its number, from 1, and the loss.
            validation: Windows of people held out, which say when to stop the gradient descent.

        Returns:
            The network, ready for inference, and the course of the gradient descent.

        Raises:
            ValueError: If a class has no window.
        """
        lacking = set(range(classes)) - set(windows.labels.tolist())
        if lacking:
            raise ValueError(f"class {min(lacking)} has no window to learn from")
        rng = np.random.default_rng(seed)
        torch.manual_seed(seed)
        head, how = self.options.head, self.options.augmentation
        some = windows
        if len(windows) > head.most // 2:
            some = windows.take(np.sort(rng.permutation(len(windows))[: head.most // 2]))
        copies = min(head.copies, head.most // len(some) - 1)
        net = self._network(classes, min(self.embedding, len(some) * (1 + copies) - 1))
        varied = vary(np.repeat(some.samples, copies, axis=0), how, rng)
        shown = np.concatenate([pictures(some.samples, self.plan), pictures(varied, self.plan)])
        labels = np.concatenate([some.labels, np.repeat(some.labels, copies)])
        seen = features(net, shown)
        fit_head(net, self.metric, seen, labels, self._strangers, head.inverse_penalty)
        course = tune(net, windows, self.plan, self.options.tune, how, rng, progress, validation)
        return net.eval(), course

    def _network(self, classes: int, embedding: int) -> Network:
        plan = self.plan
        architecture = Architecture(
            backbone=self.base.name,
            classes=classes,
            sensors=plan.axes // 3,
            rows=plan.rows,
            levels=plan.spec.level_rows,
            columns=self.columns,
            embedding=embedding,
            pooling=self.pooling,
        )
        net = Network(architecture)
        net.backbone.load_state_dict(self.base.state_dict())
        return net


@torch.inference_mode()
def predict(net: Network, shown: Pictures) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Logits (n, classes) and embeddings (n, embedding) of pictures (n, 3, rows, columns)."""
    net.eval()
    outputs = [net(torch.from_numpy(shown[at : at + 256])) for at in range(0, len(shown), 256)]
    logits, embeddings = zip(*outputs, strict=True)
    return torch.cat(logits).numpy(), torch.cat(embeddings).numpy()

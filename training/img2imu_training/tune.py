"""Gradient descent on a whole network, from a head that was fitted in closed form."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.random import Generator
from sklearn.metrics import f1_score
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from img2imu_edge.spectrogram import SpectrogramPlan
from img2imu_training.augment import Augmentation, mask, vary
from img2imu_training.network import Network
from img2imu_training.windows import Windows, pictures

Progress = Callable[[int, float], None]


@dataclass(frozen=True, slots=True)
class TuneOptions:
    """How to train.

    Attributes:
        steps: Batches in all; 0 leaves the network as it is.
        batch: Windows in one; classes are drawn evenly, then windows of the class.
        rate: Highest learning rate of the backbone (one cycle: up for a tenth of the steps, then down along a
            cosine).
        decay: Weight decay of AdamW.
        smoothing: Label smoothing.
        average: Decay of the running mean of the weights that is kept in the end.
        check_every: Steps from one look at the validation windows to the next.
        stop_early: Set some of the people aside, if there are enough, to say when to stop.
        fresh: The network starts from fresh weights: batch normalisation learns its statistics, and all
            weights have one rate.
    """

    steps: int = 0
    batch: int = 64
    rate: float = 1e-3
    decay: float = 0.05
    smoothing: float = 0.05
    average: float = 0.99
    check_every: int = 50
    stop_early: bool = True
    fresh: bool = False


@dataclass(slots=True)
class Tuning:
    """The course of a training.

    Attributes:
        loss: Training loss of each step.
        checks: Steps after which the validation windows were looked at, 0 (the closed form) first.
        scores: Macro-F1 on them.
        losses: Cross entropy on them, in nats.
        chosen: Step whose weights were kept.
    """

    loss: list[float] = field(default_factory=list)
    checks: list[int] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    chosen: int = 0


def tune(
    net: Network,
    windows: Windows,
    plan: SpectrogramPlan,
    options: TuneOptions,
    augmentation: Augmentation,
    rng: Generator,
    progress: Progress = lambda step, loss: None,
    validation: Windows | None = None,
) -> Tuning:
    """Train a network; its running mean over the last steps is what remains.

    Args:
        net: Where to start; it is changed.
        windows: Labelled windows of the training people.
        plan: Turns samples to pictures.
        options: How to train.
        augmentation: How windows are varied.
        rng: Source of randomness.
        progress: Called after each step with its number, from 1, and the loss.
        validation: Windows of people held out. The weights of the look with the least cross entropy stay;
            without them, the last ones.
    """
    course = Tuning()
    held = None
    if validation is not None:
        held = torch.from_numpy(pictures(validation.samples, plan)), validation.labels
        _look(net, *held, 0, course)
    if not options.steps:
        return course
    by_class = [np.flatnonzero(windows.labels == label) for label in range(net.architecture.classes)]
    groups: list[dict[str, Any]] = [{"params": list(net.parameters()), "lr": options.rate}]
    if not options.fresh:
        groups = _scaled_groups(net, options.rate)
    optimiser = torch.optim.AdamW(groups, weight_decay=options.decay)
    rates = [group["lr"] for group in groups]
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rates, options.steps, pct_start=0.1)
    mean = get_ema_multi_avg_fn(options.average)  # type: ignore[no-untyped-call]
    average = AveragedModel(net, multi_avg_fn=mean, use_buffers=True)
    best = copy.deepcopy(net.state_dict())
    for step in range(1, options.steps + 1):
        labels = rng.integers(0, len(by_class), options.batch)
        chosen = np.array([rng.choice(by_class[label]) for label in labels])
        shown = pictures(vary(windows.samples[chosen], augmentation, rng), plan)
        if augmentation.mask:
            shown = mask(shown, augmentation.mask, rng)
        net.train(
            options.fresh
        )  # else batch normalisation keeps its statistics: a few windows' are no better
        logits, _ = net(torch.from_numpy(shown))
        loss = functional.cross_entropy(logits, torch.from_numpy(labels), label_smoothing=options.smoothing)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
        average.update_parameters(net)
        course.loss.append(loss.item())
        progress(step, course.loss[-1])
        last = step == options.steps
        if held is None:
            course.chosen = step
        elif last or step % options.check_every == 0:
            _look(average.module, *held, step, course)
            if course.losses[-1] <= min(course.losses):
                course.chosen = step
                best = copy.deepcopy(average.module.state_dict())
    net.load_state_dict(average.module.state_dict() if held is None else best)
    return course


def _scaled_groups(net: Network, rate: float) -> list[dict[str, Any]]:
    """Parameters with rates that suit their size.

    Adam moves every weight by about its rate. Weights of the closed form are as small as its inputs are many
    and large, so that a rate for convolutions would undo it within a step.
    """
    groups: list[dict[str, Any]] = [{"params": list(net.backbone.parameters()), "lr": rate}]
    for layer in (net.project, net.classify):
        size = float(layer.weight.detach().square().mean().sqrt())
        groups.append({"params": list(layer.parameters()), "lr": 10 * rate * size})
    return groups


@torch.inference_mode()
def _look(net: torch.nn.Module, shown: torch.Tensor, labels: np.ndarray, step: int, course: Tuning) -> None:
    """Note how well a network does on pictures."""
    net.eval()
    logits = torch.cat([net(shown[at : at + 256])[0] for at in range(0, len(shown), 256)])
    course.checks.append(step)
    course.losses.append(float(functional.cross_entropy(logits, torch.from_numpy(labels))))
    course.scores.append(
        float(f1_score(labels, logits.argmax(dim=1).numpy(), average="macro", zero_division=0))
    )

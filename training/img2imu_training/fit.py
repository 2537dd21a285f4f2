"""Training of a network on labelled windows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from img2imu_edge.spectrogram import SpectrogramPlan
from img2imu_training.augment import Augmentation, mask, vary
from img2imu_training.network import RowNet
from img2imu_training.recordings import Corpus
from img2imu_training.windows import Pictures, cut, pictures, window_samples


@dataclass(frozen=True, slots=True)
class FitOptions:
    """How to train.

    Attributes:
        steps: Batches in all.
        batch: Windows in one.
        rate: Highest learning rate (one cycle: up for a tenth of the steps, then down along a cosine).
        decay: Weight decay of AdamW.
        smoothing: Label smoothing.
        average: Decay of the running mean of the weights that is kept in the end.
        augmentation: How windows are varied.
    """

    steps: int = 600
    batch: int = 64
    rate: float = 3e-3
    decay: float = 0.05
    smoothing: float = 0.05
    average: float = 0.99
    augmentation: Augmentation = field(default_factory=Augmentation)


def fit(
    net: RowNet,
    corpus: Corpus,
    plan: SpectrogramPlan,
    options: FitOptions,
    seed: int,
    progress: Callable[[int, float], None] = lambda step, loss: None,
) -> RowNet:
    """Train a network on everything in a corpus.

    Every batch draws classes evenly, then windows of that class evenly; with `shift`, windows start at any
    column of their session.

    Args:
        net: Where to start; it is changed.
        corpus: The training people only.
        plan: Turns samples to pictures.
        options: How to train.
        seed: Of all randomness but the network's initial weights.
        progress: Called after each step with its number, from 1, and the loss.

    Returns:
        The running mean of the network over the last steps, ready for inference.
    """
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    length = window_samples(plan, net.architecture.columns)
    windows = cut(corpus, length, plan.hop if options.augmentation.shift else length // 10)
    by_class = [np.flatnonzero(windows.labels == label) for label in range(net.architecture.classes)]
    optimiser = torch.optim.AdamW(net.parameters(), lr=options.rate, weight_decay=options.decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, options.rate, options.steps, pct_start=0.1)
    mean = get_ema_multi_avg_fn(options.average)  # type: ignore[no-untyped-call]
    average = AveragedModel(net, multi_avg_fn=mean, use_buffers=True)
    net.train()
    for step in range(1, options.steps + 1):
        labels = rng.integers(0, len(by_class), options.batch)
        chosen = np.array([rng.choice(by_class[label]) for label in labels])
        samples = vary(windows.samples[chosen], options.augmentation, rng)
        shown = pictures(samples, plan)
        if options.augmentation.mask:
            shown = mask(shown, options.augmentation.mask, rng)
        logits, _ = net(torch.from_numpy(shown))
        loss = functional.cross_entropy(logits, torch.from_numpy(labels), label_smoothing=options.smoothing)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
        average.update_parameters(net)
        progress(step, loss.item())
    net.load_state_dict(average.module.state_dict())
    return net.eval()


@torch.inference_mode()
def predict(net: RowNet, shown: Pictures) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Logits (n, classes) and embeddings (n, embedding) of pictures (n, 3, rows, columns)."""
    net.eval()
    outputs: list[tuple[Tensor, Tensor]] = [
        net(torch.from_numpy(shown[start : start + 256])) for start in range(0, len(shown), 256)
    ]
    logits, embeddings = zip(*outputs, strict=True)
    return torch.cat(logits).numpy(), torch.cat(embeddings).numpy()

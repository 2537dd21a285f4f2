"""Parts of a step that need no run: the optimiser, the seed, the check of the loss, the way to stop."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from img2imu_edge.errors import TrainingError
from img2imu_training.pretrain.recipe import OptimiserOptions


def make_optimiser(objective: nn.Module, options: OptimiserOptions) -> torch.optim.Optimizer:
    """The optimiser over what is trained; weight decay for matrices and kernels only."""
    trained = [p for p in objective.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": options.decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if options.name == "sgd":
        return torch.optim.SGD(groups, lr=options.rate, momentum=0.9)
    return torch.optim.AdamW(groups, lr=options.rate)


def share_of(batch: int, processes: int) -> int:
    """Pictures of a batch that one of so many processes sees.

    Raises:
        TrainingError: If they cannot all see as many.
    """
    if batch % processes:
        raise TrainingError(
            f"a batch of {batch} cannot be shared by {processes} processes; make it a multiple of that"
        )
    return batch // processes


def step_seed(seed: int, process: int, step: int) -> int:
    """Seed of all that is drawn at a step on a process."""
    return int(np.random.SeedSequence((seed, process, step)).generate_state(1, np.uint64)[0] >> 1)


def finite_mean(losses: list[Tensor], done: int) -> float:
    """Mean of the losses of the last steps up to `done`.

    Raises:
        TrainingError: If one is not finite; names its step.
    """
    values = torch.stack(losses).float().cpu()
    bad = torch.nonzero(~torch.isfinite(values))
    if len(bad):
        step = done - len(losses) + int(bad[0]) + 1
        raise TrainingError(
            f"the loss of step {step} is {values[bad[0]].item()}; lower the learning rate, lengthen the "
            "warm-up, or use the precision bf16-mixed or 32-true"
        )
    return float(values.mean())


@contextmanager
def interruptible(catch: bool) -> Iterator[threading.Event]:
    """An event that Ctrl-C and SIGTERM set, so that a run ends between two steps with its state saved.

    Several processes would not stop at the same step; these are left to end at once and to resume from the
    last saved state.
    """
    asked = threading.Event()
    if not catch or threading.current_thread() is not threading.main_thread():
        yield asked
        return
    before = {
        number: signal.signal(number, lambda *_: asked.set()) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

"""Fine-tuning for integers: the float network teaches a copy of itself that rounds as the int8 files do.

No labels are needed: logits and embeddings of the float network on real windows are what the rounding copy
learns to give (distillation; Polino et al., arXiv 1802.05668). Gradients pass the rounding as if it were not
there, and stop where a value is clipped (straight-through; Bengio et al., arXiv 1308.3432).

On people outside the training, in ONNX int8, it took 36 to 50 % of the mean error of logits from the shipped
`tiny` model (60 steps, three draws), whose labels then agreed on 99.8 instead of 99.6 % of windows; from a
`small` one 33 % (250 steps) and a loss of 0.7 points of macro-F1, while its agreement stayed at 99.2 %. Few
steps, or a higher rate, do harm: the first ones make it worse.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from img2imu_export.smooth import smooth

if TYPE_CHECKING:
    from img2imu_training.network import Network

    from img2imu_export.targets import Pictures

WEIGHT_LIMITS = {
    "onnx-int8": 64, "tflite-int8": 127, "tflite-int8-io": 127, "tflite-dynamic": 127, "mcu": 127,
}  # fmt: skip
"""Largest integer of a weight, by target. Which way a weight is rounded depends on it: adapted to one limit,
a network is no better with another.
"""

RATE = 2e-5
"""Of learning, at first: the network is trained, and only the last bits of its weights are to move."""

_BATCH = 32
_SEEN = 256
"""Pictures at a time to find ranges on."""

_REFRESH = 50
"""Steps after which the ranges of values are found anew, for they follow the weights."""


def adapt(
    net: Network,
    calibration: Pictures,
    steps: int,
    limit: int,
    seed: int = 0,
    rate: float = RATE,
    progress: Callable[[int, float], None] = lambda step, loss: None,
) -> Network:
    """A copy of a network whose weights are adapted to being rounded.

    Args:
        net: In eval mode; it is left as it is. Its batch normalisation keeps its statistics.
        calibration: Real pictures, those that the quantiser will find its ranges on.
        steps: Of gradient descent (Adam, its rate falling to nothing along a cosine).
        limit: Largest integer of a weight, from `WEIGHT_LIMITS`.
        seed: Of the order of the pictures.
        rate: Of learning, at first.
        progress: Called after each step with its number, from 1, and the loss.

    Returns:
        An ordinary network but for its `project`, which is evened out as `smooth` does it and stays so: a
        new gain would round the weights of the projection otherwise than they were adapted to.
    """
    shown = torch.from_numpy(calibration)
    student = smooth(net, calibration)
    taught = _Taught(net, shown)
    ranges = _round_like_int8(student, limit)
    trained = [value for value in student.parameters() if value.requires_grad]
    optimiser = torch.optim.Adam(trained, lr=rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, max(steps, 1))
    batches = _batches(len(shown), np.random.default_rng(seed))
    for step in range(1, steps + 1):
        if step % _REFRESH == 1:
            _find_ranges(student, ranges, shown)
        batch = next(batches)
        loss = taught.loss(batch, *student(shown[batch]))
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
        progress(step, loss.item())
    return _plain(student)


def rounding(net: Network, calibration: Pictures, limit: int) -> Network:
    """A copy of a network that rounds as the int8 files do; what `adapt` starts from.

    Args:
        net: In eval mode; it is left as it is.
        calibration: Real pictures, which show the range of every value.
        limit: Largest integer of a weight, from `WEIGHT_LIMITS`.
    """
    student = smooth(net, calibration)
    _find_ranges(student, _round_like_int8(student, limit), torch.from_numpy(calibration))
    return student


class _Taught:
    """What the float network says of all pictures, and how far from it another is."""

    def __init__(self, net: Network, shown: Tensor) -> None:
        with torch.no_grad():
            logits, embeddings = zip(*(net(part) for part in torch.split(shown, _SEEN)), strict=True)
        self.targets = (torch.cat(logits), torch.cat(embeddings))
        self.units = tuple(target.std(dim=0).mean().clamp_min(1e-6) for target in self.targets)

    def loss(self, batch: Tensor, logits: Tensor, embeddings: Tensor) -> Tensor:
        """Mean squared errors of logits and embedding, each in units of its own spread."""
        parts = [
            ((found - target[batch]) / unit).square().mean()
            for found, target, unit in zip((logits, embeddings), self.targets, self.units, strict=True)
        ]
        return torch.stack(parts).sum()


class _Rounded(nn.Module):
    """Weights (outputs, …) rounded for each output, symmetrically about 0.

    Args:
        limit: Largest integer.
    """

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit, self.off = limit, False

    def forward(self, weight: Tensor) -> Tensor:
        """The weights that the integers stand for."""
        if self.off:
            return weight
        largest = weight.detach().flatten(1).abs().amax(dim=1).clamp_min(1e-12)
        zero = torch.zeros_like(largest, dtype=torch.int32)
        return torch.fake_quantize_per_channel_affine(
            weight, largest / self.limit, zero, 0, -self.limit, self.limit
        )


class _Range:
    """Values rounded to 8 bits between the least and the largest that were seen."""

    def __init__(self) -> None:
        self.low, self.high, self.looking = 0.0, 0.0, False

    def __call__(self, values: Tensor) -> Tensor:
        if self.looking:
            self.low = min(self.low, float(values.min()))
            self.high = max(self.high, float(values.max()))
            return values
        scale = max(self.high - self.low, 1e-12) / 255
        return torch.fake_quantize_per_tensor_affine(values, scale, round(-self.low / scale), 0, 255)


def _round_like_int8(student: Any, limit: int) -> list[_Range]:
    """Have a network from `smooth` round what the int8 files round, and return the ranges to fill in.

    Those are the weights of the convolutions and of the projection, and what these take in and give out.
    Rounding a weight before batch normalisation or after it is the same, for a scale goes with each output.
    """
    ranges: list[_Range] = []

    def output(module: nn.Module) -> None:
        ranges.append(found := _Range())
        module.register_forward_hook(lambda module, inputs, result: found(result))

    def input_(module: nn.Module) -> None:
        ranges.append(found := _Range())
        module.register_forward_pre_hook(lambda module, inputs: (found(inputs[0]),))

    project = student.project[1]
    input_(student.backbone.stages)
    input_(project)
    for name, module in list(student.backbone.named_modules()):
        if isinstance(module, nn.ReLU) or (
            name.endswith((".body", ".past")) and not isinstance(module, nn.Identity)
        ):
            output(module)
        elif isinstance(module, nn.Conv2d):
            parametrize.register_parametrization(module, "weight", _Rounded(limit))
    parametrize.register_parametrization(project, "weight", _Rounded(limit))
    return ranges


@torch.no_grad()
def _find_ranges(student: nn.Module, ranges: list[_Range], shown: Tensor) -> None:
    """Find ranges where the quantisers do, with nothing rounded: a hair's difference rounds all otherwise."""
    weights = [module for module in student.modules() if isinstance(module, _Rounded)]
    for rounded in weights:
        rounded.off = True
    for found in ranges:
        found.low, found.high, found.looking = 0.0, 0.0, True
    for part in torch.split(shown, _SEEN):
        student(part)
    for found in ranges:
        found.looking = False
    for rounded in weights:
        rounded.off = False


def _batches(count: int, rng: np.random.Generator) -> Iterator[Tensor]:
    """Batches of indices, each picture once a round."""
    while True:
        yield from torch.split(torch.from_numpy(rng.permutation(count)), _BATCH)


def _plain(student: Any) -> Network:
    """The student without rounding."""
    for module in student.modules():
        module._forward_hooks.clear()
        module._forward_pre_hooks.clear()
        if parametrize.is_parametrized(module):
            parametrize.remove_parametrizations(module, "weight", leave_parametrized=False)
    plain: Network = student.eval()
    return plain

"""Make a network's head fit for eight bits: features in one range, none with weights far larger than others.

What the head sees differs in size by orders of magnitude, and so do its weights: few labels make it lean on
small differences. One scale for all features of a picture, and one for all weights of an output, round the
small ones away. A shift and a gain a feature even both out without changing what the network computes.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from img2imu_training.network import Network

    from img2imu_export.targets import Pictures

_BATCH = 256


class Rescale(nn.Module):
    """Features (n, width) less a shift, times a gain.

    The gain comes as its square root, for gains span more than the 8 bits that they are to be kept in.

    Args:
        shift: (width,).
        root: (width,) square root of the gain.
    """

    shift: Tensor
    root: Tensor

    def __init__(self, shift: Tensor, root: Tensor) -> None:
        super().__init__()
        self.register_buffer("shift", shift)
        self.register_buffer("root", root)

    def forward(self, features: Tensor) -> Tensor:
        """Features (n, width), rescaled."""
        return (features - self.shift) * self.root * self.root


@torch.no_grad()
def smooth(net: Network, calibration: Pictures) -> Network:
    """A copy of a network that computes the same, with a `Rescale` before its `project`.

    The shift is a feature's mean, the gain √(largest weight / largest deviation): half of the difference in
    size stays with the features and half goes to the weights (SmoothQuant, Xiao et al., arXiv 2211.10438,
    α = ½). What never varies in the pictures is taken for its mean. Neither need be exact, for bias and
    weights undo what they do: both are rounded to 255 steps, so that a file can keep them in 8 bits.

    Args:
        net: In eval mode; it is left as it is. One that went through here before, such as one from `qat`,
            comes back as it is: its weights were adapted to their gain.
        calibration: Real pictures, which show how large each feature gets.
    """
    if isinstance(net.project, nn.Sequential):
        return copy.deepcopy(net)
    shown = torch.from_numpy(calibration)
    parts = [net.features(shown[start : start + _BATCH]) for start in range(0, len(shown), _BATCH)]
    seen = torch.cat(parts).double()
    smoothed = copy.deepcopy(net)
    head = smoothed.project
    weight, shift = head.weight.double(), on_grid(seen.mean(dim=0)).double()
    size, largest = (seen - shift).abs().amax(dim=0), weight.abs().amax(dim=0)
    alive = (size > 0) & (largest > 0)
    root = on_grid(torch.where(alive, (largest / size) ** 0.25, 0.0), alive)
    undone = torch.where(alive, 1 / root.double() ** 2, 0.0)
    head.bias.add_(weight @ shift)
    head.weight.copy_(weight * undone)
    rescaled = nn.Sequential(Rescale(shift.float(), root), head)
    smoothed.project = rescaled  # type: ignore[assignment]  # still features to an embedding
    return smoothed.eval()


def on_grid(values: Tensor, alive: Tensor | None = None) -> Tensor:
    """Values (n,) as float32 multiples, −127 to 127, of one step; `pack` finds them by that.

    Args:
        values: To round.
        alive: (n,) which of them must not become 0.
    """
    step = (values.abs().max() / 127).float()
    steps = torch.round(values / step) if step > 0 else torch.zeros_like(values)
    if alive is not None:
        steps = torch.where(alive, steps.clamp(min=1), steps)
    return steps.float() * step

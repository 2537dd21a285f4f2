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

    Args:
        shift: (width,).
        gain: (width,).
    """

    shift: Tensor
    gain: Tensor

    def __init__(self, shift: Tensor, gain: Tensor) -> None:
        super().__init__()
        self.register_buffer("shift", shift)
        self.register_buffer("gain", gain)

    def forward(self, features: Tensor) -> Tensor:
        """Features (n, width), rescaled."""
        return (features - self.shift) * self.gain


@torch.no_grad()
def smooth(net: Network, calibration: Pictures) -> Network:
    """A copy of a network that computes the same, with a `Rescale` before its `project`.

    The shift is a feature's mean, the gain √(largest weight / largest deviation): half of the difference in
    size stays with the features and half goes to the weights (SmoothQuant, Xiao et al., arXiv 2211.10438,
    α = ½). What never varies in the pictures is taken for its mean.

    Args:
        net: In eval mode; it is left as it is.
        calibration: Real pictures, which show how large each feature gets.
    """
    shown = torch.from_numpy(calibration)
    parts = [net.features(shown[start : start + _BATCH]) for start in range(0, len(shown), _BATCH)]
    seen = torch.cat(parts).double()
    smoothed = copy.deepcopy(net)
    head = smoothed.project
    weight, shift = head.weight.double(), seen.mean(dim=0)
    size, largest = (seen - shift).abs().amax(dim=0), weight.abs().amax(dim=0)
    alive = (size > 0) & (largest > 0)
    gain = torch.where(alive, torch.sqrt(largest / size), 0.0)
    undone = torch.where(alive, 1 / gain, 0.0)
    head.bias.add_(weight @ shift)
    head.weight.copy_(weight * undone)
    rescaled = nn.Sequential(Rescale(shift.float(), gain.float()), head)
    smoothed.project = rescaled  # type: ignore[assignment]  # still features to an embedding
    return smoothed.eval()

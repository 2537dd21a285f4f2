"""A network's first layer as int8 kernels like it: with four input channels, of centred pictures.

Kernels take channels by fours. With a fourth one, whose weights are 0, ONNX Runtime has a fast one for the
layer that sees the whole picture, and rounds nothing otherwise. Pictures are centred in one step instead of
doubled and shifted in two: weights twice as large make up for it, and no bit changes.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, cast

import torch
from img2imu_training.backbones import Backbone
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from img2imu_training.network import Network

_CHANNELS = 4


class FourChannels(nn.Conv2d):
    """A convolution that is given channels of zeros until there are four.

    Args:
        old: Of at most four input channels, without bias.
    """

    def __init__(self, old: nn.Conv2d) -> None:
        kernel, stride, padding = cast("Any", (old.kernel_size, old.stride, old.padding))
        super().__init__(_CHANNELS, old.out_channels, kernel, stride, padding, bias=False)
        self.more = _CHANNELS - old.in_channels
        with torch.no_grad():
            self.weight.zero_()[:, : old.in_channels] = old.weight

    def forward(self, features: Tensor) -> Tensor:
        """As the old one."""
        return super().forward(functional.pad(features, (0, 0, 0, 0, 0, self.more)))


class Centred(Backbone):
    """A backbone whose stages take pictures from −½ to ½."""

    def forward(self, pictures: Tensor) -> Tensor:
        """Pictures (n, 3, rows, columns) in 0 … 1 to features (n, channels, rows', columns')."""
        features: Tensor = self.stages(pictures - 0.5)
        return features


def widen(net: Network) -> Network:
    """A copy of a network that computes the same, whose first convolution takes four centred channels."""
    widened = copy.deepcopy(net)
    old = widened.backbone
    first: Any = old.stages[0]
    first[0] = FourChannels(first[0])
    with torch.no_grad():
        first[0].weight.mul_(2)
    widened.backbone = Centred(old.name, list(old.stages), old.channels, old.row_stride)
    return widened.eval()

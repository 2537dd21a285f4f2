"""A network's first layer as int8 kernels like it: with four input channels.

Kernels take channels by fours. With a fourth one, whose weights are 0, ONNX Runtime has a fast one for the
layer that sees the whole picture, and rounds nothing otherwise.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, cast

import torch
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


def widen(net: Network) -> Network:
    """A copy of a network that computes the same, whose first convolution takes four channels."""
    widened = copy.deepcopy(net)
    first: Any = widened.backbone.stages[0]
    first[0] = FourChannels(first[0])
    return widened.eval()

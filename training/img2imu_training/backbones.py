"""Backbones: convolutional networks that turn a picture into a map of features, rows kept.

Three sizes in plain torch, made of what quantises and exports without a rewrite: convolution, batch
normalisation, ReLU and addition. Time is halved at once, since neighbouring columns tell much the same and
the size of the first map decides how much memory a microcontroller needs; rows are halved later and less
often, since which row it is, is what the picture says.
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor, nn

BackboneName = Literal["tiny", "small", "resnet18"]
"""`tiny`: microcontrollers and watches; `small`: the default; `resnet18`: the paper's size."""


class Residual(nn.Module):
    """Two 3 × 3 convolutions and a way past them (He et al., arXiv 1512.03385, the basic block).

    Args:
        inputs: Channels that come in.
        outputs: Channels that go out.
        stride: Of the first convolution, (rows, columns).
    """

    def __init__(self, inputs: int, outputs: int, stride: tuple[int, int]) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *convolution(inputs, outputs, 3, stride), *list(convolution(outputs, outputs, 3, (1, 1)))[:2]
        )
        self.past: nn.Module = nn.Identity()
        if inputs != outputs or stride != (1, 1):
            self.past = nn.Sequential(*list(convolution(inputs, outputs, 1, stride))[:2])
        self.join = nn.ReLU()

    def forward(self, features: Tensor) -> Tensor:
        """Features (n, inputs, rows, columns) to (n, outputs, rows / stride, columns / stride)."""
        joined: Tensor = self.join(self.body(features) + self.past(features))
        return joined


def convolution(inputs: int, outputs: int, kernel: int, stride: tuple[int, int]) -> nn.Sequential:
    """Convolution, batch normalisation, ReLU: three that quantisation folds into one."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )


class Backbone(nn.Module):
    """Stages one after the other.

    Args:
        name: What it is called.
        stages: Each maps features to features; the first takes pictures from −1 to 1.
        channels: Channels of the last map.
        row_stride: How many rows of the picture are one row of the last map.

    Attributes:
        name: As above.
        channels: As above.
        row_stride: As above.
    """

    def __init__(self, name: BackboneName, stages: list[nn.Module], channels: int, row_stride: int) -> None:
        super().__init__()
        self.stages = nn.Sequential(*stages)
        self.name, self.channels, self.row_stride = name, channels, row_stride

    def rows(self, rows: int) -> int:
        """Rows of the last map for a picture of so many rows."""
        return -(-rows // self.row_stride)

    def forward(self, pictures: Tensor) -> Tensor:
        """Pictures (n, 3, rows, columns) in 0 … 1 to features (n, channels, rows', columns')."""
        features: Tensor = self.stages(2 * pictures - 1)
        return features


def build_backbone(name: BackboneName) -> Backbone:
    """A backbone with fresh weights, drawn from torch's global generator.

    Raises:
        ValueError: If no backbone has that name.
    """
    if name == "tiny":
        return Backbone(
            name,
            [
                convolution(3, 24, 3, (1, 2)),
                convolution(24, 32, 3, (2, 2)),
                convolution(32, 64, 3, (2, 2)),
                convolution(64, 96, 3, (1, 1)),
            ],
            channels=96,
            row_stride=4,
        )
    if name == "small":
        return Backbone(
            name,
            [
                convolution(3, 32, 3, (1, 2)),
                Residual(32, 64, (2, 2)),
                Residual(64, 128, (2, 2)),
                Residual(128, 192, (1, 1)),
            ],
            channels=192,
            row_stride=4,
        )
    if name == "resnet18":
        stages: list[nn.Module] = [convolution(3, 64, 7, (1, 2))]
        widths, strides = (64, 64, 128, 256, 512), ((1, 1), (2, 2), (2, 2), (1, 1))
        for inputs, outputs, stride in zip(widths, widths[1:], strides, strict=False):
            stages += [Residual(inputs, outputs, stride), Residual(outputs, outputs, (1, 1))]
        return Backbone(name, stages, channels=512, row_stride=4)
    raise ValueError(f"no backbone is called {name!r}; there are: {', '.join(get_args(BackboneName))}")


def row_features(features: Tensor) -> Tensor:
    """Features (n, channels, rows, columns) to (n, channels × rows): the mean over time, rows kept.

    Global average pooling cannot tell 2 Hz from 3 Hz: moving a picture up leaves its mean as it was.
    """
    return torch.flatten(features.mean(dim=3), 1)

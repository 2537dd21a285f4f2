"""The usual variations of photographs (SimCLR, Chen et al. 2020; MoCo v2), to compare with."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from img2imu_training.pretrain.views.axes import Hue
from img2imu_training.pretrain.views.draw import check_strength, per_picture, uniform
from img2imu_training.pretrain.views.layout import Layout
from img2imu_training.pretrain.views.resample import resample, window

_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601


class RandomResizedCrop(nn.Module):
    """A part of the picture, scaled to the whole: a closer look. The first view; it may take larger pictures.

    The part's area is drawn evenly from a share up to the whole, the logarithm of its aspect from 3:4 … 4:3
    (Szegedy et al. 2015, as SimCLR). On a spectrogram this changes tempo and time scale at random.

    Args:
        strength: How much may be lost: 1 − the least share of the area. SimCLR has 0.92, MoCo v2 0.8.
        layout: The size to make.

    Example:
        >>> RandomResizedCrop(0.8, Layout(32, 32))(torch.rand(8, 3, 96, 96)).shape
        torch.Size([8, 3, 32, 32])
    """

    def __init__(self, strength: float, layout: Layout) -> None:
        super().__init__()
        self.strength = check_strength(strength, 0.99, "1 − the least share of the area")
        self.layout = layout

    def forward(self, pictures: Tensor) -> Tensor:
        """(n, 3, height, width) of any size to (n, 3, rows, columns)."""
        height, width = pictures.shape[2:]
        area = uniform(pictures, 1 - self.strength, 1)
        aspect = uniform(pictures, -math.log(4 / 3), math.log(4 / 3)).exp()
        lines = []
        for size, out, share in (
            (height, self.layout.rows, (area / aspect).sqrt()),
            (width, self.layout.columns, (area * aspect).sqrt()),
        ):
            length = share.clamp_max(1) * size
            lines.append(window(uniform(pictures, 0, 1) * (size - length), length, size, out))
        return resample(pictures, lines[0], lines[1])


class HorizontalFlip(nn.Module):
    """The mirror image; on a spectrogram, time runs backwards. All or nothing.

    Example:
        >>> HorizontalFlip()(torch.rand(8, 3, 32, 32)).shape
        torch.Size([8, 3, 32, 32])
    """

    def forward(self, pictures: Tensor) -> Tensor:
        """(n, 3, rows, columns)."""
        return pictures.flip(3)


class ColourJitter(nn.Module):
    """Brightness, contrast, saturation and hue, in this order.

    Args:
        strength: s of SimCLR: factors from 1 − 0.8 s to 1 + 0.8 s, hue ± 0.2 s of a turn. MoCo v2 has 0.5.

    Example:
        >>> ColourJitter(0.5)(torch.rand(8, 3, 32, 32)).shape
        torch.Size([8, 3, 32, 32])
    """

    def __init__(self, strength: float) -> None:
        super().__init__()
        self.strength = check_strength(strength, 1.25, "SimCLR's s")
        self.hue = Hue(0.2 * strength)

    def forward(self, pictures: Tensor) -> Tensor:
        """(n, 3, rows, columns), clipped to 0 … 1."""
        reach = 0.8 * self.strength
        brightness, contrast, saturation = (
            per_picture(factor) for factor in uniform(pictures, 1 - reach, 1 + reach, 3).unbind(1)
        )
        pictures = (pictures * brightness).clamp_(0, 1)
        middle = luma(pictures).mean(dim=(2, 3), keepdim=True)
        pictures = torch.lerp(middle.expand_as(pictures), pictures, contrast).clamp_(0, 1)
        pictures = torch.lerp(luma(pictures).expand_as(pictures), pictures, saturation).clamp_(0, 1)
        coloured: Tensor = self.hue(pictures)
        return coloured


class Greyscale(nn.Module):
    """No colour; on a spectrogram, all axes show the same. All or nothing.

    Example:
        >>> Greyscale()(torch.rand(8, 3, 32, 32)).shape
        torch.Size([8, 3, 32, 32])
    """

    def forward(self, pictures: Tensor) -> Tensor:
        """(n, 3, rows, columns)."""
        return luma(pictures).expand_as(pictures)


class GaussianBlur(nn.Module):
    """Out of focus; on a spectrogram, coarser in time and frequency.

    Args:
        strength: Largest standard deviation as a share of the width; SimCLR has 2 of 224 pixels, 0.009.

    Example:
        >>> GaussianBlur(0.05)(torch.rand(8, 3, 32, 32)).shape
        torch.Size([8, 3, 32, 32])
    """

    def __init__(self, strength: float) -> None:
        super().__init__()
        self.strength = check_strength(strength, 1.0, "the largest deviation as a share of the width")

    def forward(self, pictures: Tensor) -> Tensor:
        """(n, 3, rows, columns)."""
        height, width = pictures.shape[2:]
        deviation = uniform(pictures, 0.05, 1) * self.strength * width
        return resample(pictures, _gauss(deviation, height), _gauss(deviation, width))


def luma(pictures: Tensor) -> Tensor:
    """Brightness (n, 1, rows, columns) of pictures (n, 3, rows, columns)."""
    share = pictures.new_tensor(_LUMA)[:, None, None]
    return (pictures * share).sum(dim=1, keepdim=True)


def _gauss(deviation: Tensor, size: int) -> Tensor:
    """Matrices (n, size, size) that blur a line by deviations (n,) in cells."""
    cells = torch.arange(size, device=deviation.device, dtype=torch.float32)
    distance = (cells[:, None] - cells) / deviation.clamp_min(1e-3)[:, None, None]
    return torch.softmax(-0.5 * distance.square(), dim=2)

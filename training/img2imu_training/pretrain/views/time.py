"""Variations along time: when a window starts, in which order things happen, what is missing."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from img2imu_training.pretrain.views.draw import check_strength, signed, uniform

Fill = Literal["wrap", "reflect", "zero"]


class TranslateX(nn.Module):
    """A window that started earlier or later: columns move along time (IMG2IMU, arXiv 2209.00945).

    Args:
        strength: Longest shift either way, as a share of the width.
        fill: What comes in at the edge: the other end (`wrap`, right for periodic motion), the mirror image
            (`reflect`), or black (`zero`, as for photographs).

    Example:
        >>> TranslateX(0.25)(torch.rand(8, 3, 32, 32)).shape
        torch.Size([8, 3, 32, 32])
    """

    def __init__(self, strength: float, fill: Fill = "wrap") -> None:
        super().__init__()
        self.strength = check_strength(strength, 1.0, "the longest shift as a share of the width")
        self.fill = fill

    def forward(self, pictures: Tensor) -> Tensor:
        """(n, 3, rows, columns), each moved by a whole number of columns of its own."""
        width = pictures.shape[3]
        shift = signed(pictures, self.strength * width).round().long()
        at = torch.arange(width, device=pictures.device) - shift[:, None]
        inside = (at >= 0) & (at < width)
        if self.fill == "reflect":
            at = at.remainder(2 * width)
            at = torch.minimum(at, 2 * width - 1 - at)
        moved = take_columns(pictures, at.remainder(width))
        return moved * inside[:, None, None, :] if self.fill == "zero" else moved


class PermuteX(nn.Module):
    """The same movements in another order: the window is cut along time and its parts are shuffled (IMG2IMU).

    Args:
        strength: Most parts; each picture draws how many, from 2, and where the cuts are.

    Example:
        >>> PermuteX(4)(torch.rand(8, 3, 32, 32)).shape
        torch.Size([8, 3, 32, 32])
    """

    def __init__(self, strength: float) -> None:
        super().__init__()
        if strength != int(strength) or strength < 2:
            raise ValueError(f"strength is the most parts: a whole number from 2, not {strength:g}")
        self.strength = int(strength)

    def forward(self, pictures: Tensor) -> Tensor:
        """(n, 3, rows, columns), whole parts of columns in another order."""
        n, width = len(pictures), pictures.shape[3]
        column = torch.arange(width, device=pictures.device)
        parts = torch.randint(2, self.strength + 1, (n, 1), device=pictures.device)
        cuts = torch.randint(1, width, (n, self.strength - 1), device=pictures.device)
        used = torch.arange(self.strength - 1, device=pictures.device) < parts - 1
        part = ((column >= cuts[..., None]) & used[..., None]).sum(dim=1)
        place = uniform(pictures, 0, 1, self.strength)
        return take_columns(pictures, place.gather(1, part).argsort(dim=1, stable=True))


class TimeMask(nn.Module):
    """A stretch of time is hidden (SpecAugment, Park et al. 2019), as lost samples or a pause would.

    Args:
        strength: Longest hidden run of columns, as a share of the width; lengths are drawn evenly from 0.

    Example:
        >>> TimeMask(0.2)(torch.rand(8, 3, 32, 32)).shape
        torch.Size([8, 3, 32, 32])
    """

    def __init__(self, strength: float) -> None:
        super().__init__()
        self.strength = check_strength(strength, 1.0, "the longest run as a share of the width")

    def forward(self, pictures: Tensor) -> Tensor:
        """(n, 3, rows, columns) with one run of columns greyed."""
        return pictures.masked_fill(run(pictures, self.strength, 3)[:, None, None, :], 0.5)


def take_columns(pictures: Tensor, index: Tensor) -> Tensor:
    """The columns (n, columns) of each picture (n, 3, rows, columns)."""
    return pictures.gather(3, index[:, None, None, :].expand(*pictures.shape[:3], -1))


def run(pictures: Tensor, share: float, axis: int) -> Tensor:
    """(n, size) bool: one random run along an axis per picture, at most a share of it long."""
    size = pictures.shape[axis]
    length = uniform(pictures, 0, share * size, 1)
    start = uniform(pictures, 0, 1, 1) * (size - length)
    at = torch.arange(size, device=pictures.device)
    return (at >= start.round()) & (at < (start + length).round())

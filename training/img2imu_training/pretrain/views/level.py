"""Variations of the cells' values: noise, and how briskly someone moves."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from img2imu_training.pretrain.views.draw import check_strength, per_picture, signed, uniform
from img2imu_training.pretrain.views.layout import Layout


class Jitter(nn.Module):
    """Noise on every cell (IMG2IMU): the spread of a spectrum's estimate, and the sensor's own noise.

    Args:
        strength: Largest standard deviation, in units of the picture (0 … 1); each picture draws its own.

    Example:
        >>> Jitter(0.1)(torch.rand(8, 3, 32, 32)).shape
        torch.Size([8, 3, 32, 32])
    """

    def __init__(self, strength: float) -> None:
        super().__init__()
        self.strength = check_strength(strength, 1.0, "the largest standard deviation of the noise")

    def forward(self, pictures: Tensor) -> Tensor:
        """(n, 3, rows, columns), clipped to 0 … 1."""
        deviation = per_picture(uniform(pictures, 0, self.strength))
        return torch.randn_like(pictures).mul_(deviation).add_(pictures).clamp_(0, 1)


class AmplitudeShift(nn.Module):
    """The same movement, larger or smaller: decibels are added to all powers of an axis; levels stay.

    A factor a on the amplitude adds 20 log10 a dB, so that 6 dB are twice the amplitude.

    Args:
        strength: Largest change of an axis either way, in dB; each axis of each picture draws its own.
        layout: Which rows are levels, and how many decibels a cell spans.

    Example:
        >>> AmplitudeShift(6, Layout(32, 32, level_rows=4))(torch.rand(8, 3, 32, 32)).shape
        torch.Size([8, 3, 32, 32])
    """

    def __init__(self, strength: float, layout: Layout) -> None:
        super().__init__()
        self.strength = check_strength(strength, 60.0, "the largest change in dB")
        self.layout = layout

    def forward(self, pictures: Tensor) -> Tensor:
        """(n, 3, rows, columns), clipped to 0 … 1."""
        shift = signed(pictures, self.strength / self.layout.span_db, 3)[:, :, None, None]
        powers = ~self.layout.is_level(pictures.device)[:, None]
        return (pictures + shift * powers).clamp_(0, 1)

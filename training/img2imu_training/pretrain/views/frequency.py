"""Variations along frequency: tempo, and what is missing."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from img2imu_training.pretrain.views.draw import check_strength, signed
from img2imu_training.pretrain.views.layout import Layout
from img2imu_training.pretrain.views.resample import resample, weights
from img2imu_training.pretrain.views.time import run


class FrequencyWarp(nn.Module):
    """The same movement, faster or slower: rows of frequencies move up or down; level rows stay.

    On a logarithmic axis a factor on the tempo is a shift of all frequencies by the same number of rows. In
    the preset `motion` one row is a factor of 1.156, so that a strength of 0.05 (1.4 of 28 rows) is a tempo
    of up to ±22 %. On a linear axis the shift is only roughly a tempo.

    Args:
        strength: Largest shift either way, as a share of a sensor's frequency rows.
        layout: Where the frequencies lie.

    Example:
        >>> FrequencyWarp(0.05, Layout(32, 32, level_rows=4))(torch.rand(8, 3, 32, 32)).shape
        torch.Size([8, 3, 32, 32])
    """

    def __init__(self, strength: float, layout: Layout) -> None:
        super().__init__()
        self.strength = check_strength(strength, 1.0, "the largest shift as a share of the frequency rows")
        self.layout = layout

    def forward(self, pictures: Tensor) -> Tensor:
        """(n, 3, rows, columns), each sensor's frequencies moved alike; the edge rows are held."""
        reach = self.strength * (self.layout.sensor_rows - self.layout.level_rows)
        return self.move(pictures, signed(pictures, reach))

    def move(self, pictures: Tensor, shift: Tensor) -> Tensor:
        """Pictures (n, 3, rows, columns) with frequencies moved up by given numbers of rows (n,)."""
        low, each = self.layout.level_rows, self.layout.sensor_rows
        frequencies = torch.arange(each - low, device=pictures.device)
        moved = weights(frequencies - shift[:, None], each - low)
        matrix = torch.zeros(len(pictures), self.layout.rows, self.layout.rows, device=pictures.device)
        for foot in range(0, self.layout.rows, each):
            levels = torch.arange(foot, foot + low, device=pictures.device)
            matrix[:, levels, levels] = 1
            matrix[:, foot + low : foot + each, foot + low : foot + each] = moved
        return resample(pictures, matrix, None)


class FrequencyMask(nn.Module):
    """A band of frequencies is hidden (SpecAugment, Park et al. 2019).

    Args:
        strength: Longest hidden run of rows, as a share of the height; lengths are drawn evenly from 0.

    Example:
        >>> FrequencyMask(0.2)(torch.rand(8, 3, 32, 32)).shape
        torch.Size([8, 3, 32, 32])
    """

    def __init__(self, strength: float) -> None:
        super().__init__()
        self.strength = check_strength(strength, 1.0, "the longest run as a share of the height")

    def forward(self, pictures: Tensor) -> Tensor:
        """(n, 3, rows, columns) with one run of rows greyed."""
        return pictures.masked_fill(run(pictures, self.strength, 2)[:, None, :, None], 0.5)

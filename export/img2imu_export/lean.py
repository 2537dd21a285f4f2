"""A picture's statistics in few operators: beside int8 convolutions, every operator counts.

ONNX Runtime spends half a microsecond on an operator whatever it computes, and as the training writes them,
half of the operators of an int8 file are the statistics'.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from img2imu_training.network import Network, Statistics


class LeanStatistics(nn.Module):
    """What `Statistics` gives, in its order, to within rounding of float32.

    Rows are one dimension, whatever axis and sensor they are of, and stay so until all are joined. The slope
    needs no mean taken off first, for the ramp has none; the rows that have a slope are gathered at once, in
    the order sensor, axis, level.

    Args:
        old: The statistics.
    """

    level_rows: Tensor
    ramp: Tensor

    def __init__(self, old: Statistics) -> None:
        super().__init__()
        rows = torch.arange(3 * old.sensors * old.rows).reshape(3, old.sensors, old.rows)
        levels = rows[:, :, : old.levels].transpose(0, 1).flatten()
        self.register_buffer("level_rows", levels, persistent=False)
        self.register_buffer("ramp", old.ramp[:, None].clone(), persistent=False)

    def forward(self, pictures: Tensor) -> Tensor:
        """Pictures (n, 3, sensors × rows, columns) in 0 … 1 to statistics (n, width)."""
        rows = pictures.flatten(1, 2)
        mean = rows.mean(dim=2, keepdim=True)
        deviation = (rows - mean).abs().mean(dim=2, keepdim=True)
        parts = [mean, deviation, rows.amax(dim=2, keepdim=True), rows.amin(dim=2, keepdim=True)]
        if len(self.level_rows):
            parts.append(rows.index_select(1, self.level_rows) @ self.ramp)
        return torch.cat(parts, dim=1).flatten(1)


def lean(net: Network) -> Network:
    """A copy of a network that computes the same with fewer operators."""
    copied = copy.deepcopy(net)
    copied.statistics = LeanStatistics(net.statistics)  # type: ignore[assignment]  # still what rows say
    return copied.eval()

"""Variations across the three axes, which are the picture's colours: how the sensor is mounted."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from img2imu_training.pretrain.views.draw import check_strength, signed, uniform
from img2imu_training.pretrain.views.layout import Layout


class Hue(nn.Module):
    """Hue rotation: x, y, z are mixed by a turn about the grey axis (IMG2IMU's stand-in for a turned sensor).

    A linear map of red, green and blue about (1, 1, 1); grey stays. It mixes decibels, which no turned sensor
    does: `AxisMix` mixes powers.

    Args:
        strength: Largest turn either way, in full turns; 0.5 reaches every hue, as in colour jitter.

    Example:
        >>> Hue(0.1)(torch.rand(8, 3, 32, 32)).shape
        torch.Size([8, 3, 32, 32])
    """

    def __init__(self, strength: float) -> None:
        super().__init__()
        self.strength = check_strength(strength, 0.5, "the largest turn in full turns")

    def forward(self, pictures: Tensor) -> Tensor:
        """(n, 3, rows, columns), clipped to 0 … 1."""
        grey = pictures.new_full((len(pictures), 3), 1 / math.sqrt(3))
        turns = rotations(grey, signed(pictures, self.strength * 2 * math.pi))
        return mix(turns, pictures).clamp_(0, 1)


class AxisMix(nn.Module):
    """A sensor turned by a small angle about a random axis.

    Levels are a vector and turn with the rotation R. Powers of axes that move independently of each other
    mix as P' = (R∘R) P: the entries of R squared, whose rows sum to 1. Cells go to powers and back; what axes
    have in common (their cross-spectrum) is not in the picture, and is taken as none.

    Args:
        strength: Standard deviation of the angle in degrees.
        layout: Which rows are levels, and how many decibels a cell spans.

    Example:
        >>> AxisMix(15, Layout(32, 32, level_rows=4))(torch.rand(8, 3, 32, 32)).shape
        torch.Size([8, 3, 32, 32])
    """

    def __init__(self, strength: float, layout: Layout) -> None:
        super().__init__()
        self.strength = check_strength(strength, 180.0, "the angle's standard deviation in degrees")
        self.layout = layout

    def forward(self, pictures: Tensor) -> Tensor:
        """(n, 3, rows, columns), clipped to 0 … 1."""
        axes = functional.normalize(torch.randn(len(pictures), 3, device=pictures.device), dim=1)
        angles = math.radians(self.strength) * torch.randn(len(pictures), device=pictures.device)
        return self.turn(pictures, rotations(axes, angles))

    def turn(self, pictures: Tensor, turns: Tensor) -> Tensor:
        """Pictures (n, 3, rows, columns) of sensors turned by given rotations (n, 3, 3)."""
        nepers = self.layout.span_db * math.log(10) / 10
        mixed = mix(turns.square(), (pictures * nepers).exp_()).log_().div_(nepers)
        if self.layout.level_rows:
            levels = self.layout.is_level(pictures.device)
            mixed[:, :, levels] = mix(turns, pictures[:, :, levels] - 0.5) + 0.5
        return mixed.clamp_(0, 1)


class AxisPermute(nn.Module):
    """A sensor mounted with its axes in another order: x, y, z are shuffled. All or nothing.

    Example:
        >>> AxisPermute()(torch.rand(8, 3, 32, 32)).shape
        torch.Size([8, 3, 32, 32])
    """

    def forward(self, pictures: Tensor) -> Tensor:
        """(n, 3, rows, columns), each in one of the six orders."""
        order = uniform(pictures, 0, 1, 3).argsort(dim=1)
        return pictures.gather(1, order[:, :, None, None].expand_as(pictures))


class AxisFlip(nn.Module):
    """A sensor mounted the other way round: an axis changes its sign, with even odds for each axis.

    A power does not know its sign; a level is mirrored about ½. Without level rows nothing changes.

    Args:
        layout: Which rows are levels.

    Example:
        >>> AxisFlip(Layout(32, 32, level_rows=4))(torch.rand(8, 3, 32, 32)).shape
        torch.Size([8, 3, 32, 32])
    """

    def __init__(self, layout: Layout) -> None:
        super().__init__()
        self.layout = layout

    def forward(self, pictures: Tensor) -> Tensor:
        """(n, 3, rows, columns), the same but for level rows."""
        flipped = (uniform(pictures, 0, 1, 3) < 0.5)[:, :, None, None]
        levels = self.layout.is_level(pictures.device)[:, None]
        return torch.where(flipped & levels, 1 - pictures, pictures)


def rotations(axes: Tensor, angles: Tensor) -> Tensor:
    """Rotation matrices (n, 3, 3) about unit axes (n, 3) by angles (n,) in rad (Rodrigues' formula)."""
    x, y, z = axes.unbind(1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=1).view(-1, 3, 3)
    sine, cosine = angles.sin()[:, None, None], angles.cos()[:, None, None]
    return torch.eye(3, device=axes.device) + sine * cross + (1 - cosine) * (cross @ cross)


def mix(matrices: Tensor, pictures: Tensor) -> Tensor:
    """Matrices (n, 3, 3) times the axes of pictures (n, 3, rows, columns)."""
    return (matrices @ pictures.flatten(2)).view(pictures.shape)

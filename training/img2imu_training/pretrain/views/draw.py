"""Random numbers per picture, from torch's global generator on the pictures' device."""

from __future__ import annotations

import torch
from torch import Tensor


def uniform(pictures: Tensor, low: float, high: float, *shape: int) -> Tensor:
    """(n, *shape) float32, drawn evenly from low … high."""
    return torch.rand(len(pictures), *shape, device=pictures.device) * (high - low) + low


def signed(pictures: Tensor, limit: float, *shape: int) -> Tensor:
    """(n, *shape) float32, drawn evenly from -limit … limit."""
    return uniform(pictures, -limit, limit, *shape)


def per_picture(values: Tensor) -> Tensor:
    """(n,) as (n, 1, 1, 1), to broadcast over pictures."""
    return values[:, None, None, None]


def check_strength(strength: float, most: float, meaning: str) -> float:
    """The strength, if it is above 0 and at most `most`.

    Raises:
        ValueError: If it is not; the message says what it means.
    """
    if not 0 < strength <= most:
        raise ValueError(f"strength is {meaning}: above 0 and at most {most:g}, not {strength:g}")
    return strength

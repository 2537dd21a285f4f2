"""From what a device sent to values: float32, and finite."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import cycle
from operator import mul
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from img2imu_bridge.profiles import PacketError

_TOO_LARGE: Final = float(2**128 - 2**103)
"""The least number that rounds to infinity as float32: half a step above the largest one."""


def scaled(numbers: Iterable[float], worth: Sequence[float]) -> NDArray[np.float32]:
    """Scale the few numbers of a small packet to SI units, for less than NumPy's first two calls cost.

    Args:
        numbers: As sent, one sample after the other.
        worth: What one count is worth, of each channel.

    Returns:
        (samples, channels) values, the same as those of `to_values`.

    Raises:
        PacketError: If a value is no number, or too large for float32.
    """
    values = list(map(mul, numbers, cycle(worth)))
    if not all(map(_TOO_LARGE.__gt__, map(abs, values))):
        raise PacketError("a value is no finite number")
    return np.array(values, np.float32).reshape(-1, len(worth))


def to_float64(numbers: NDArray[Any]) -> NDArray[np.float64]:
    """Numbers of any kind as float64; those that are no numbers stay so, without a warning."""
    with np.errstate(invalid="ignore"):  # signalling NaNs
        return numbers.astype(np.float64)


def to_values(counts: NDArray[np.float64], worth: NDArray[np.float64] | float = 1.0) -> NDArray[np.float32]:
    """Scale the many counts of a large packet to SI units.

    Args:
        counts: (samples, channels) as sent.
        worth: What one count is worth, of each channel or of all.

    Raises:
        PacketError: If a value is no number, or too large for float32.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        values: NDArray[np.float32] = (counts * worth).astype(np.float32)
    if not np.isfinite(values).all():
        raise PacketError("a value is no finite number")
    return values

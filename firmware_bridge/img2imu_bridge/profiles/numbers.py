"""From what a device sent to values: float32, and finite."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from img2imu_bridge.profiles import PacketError


def to_float64(numbers: NDArray[Any]) -> NDArray[np.float64]:
    """Numbers of any kind as float64; those that are no numbers stay so, without a warning."""
    with np.errstate(invalid="ignore"):  # signalling NaNs
        return numbers.astype(np.float64)


def to_values(counts: NDArray[np.float64], worth: NDArray[np.float64] | float = 1.0) -> NDArray[np.float32]:
    """Scale counts to SI units.

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

"""How spectrograms are drawn: x, y, z are red, green, blue; low frequencies below; the gyroscope on top."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def drawn(cells: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Columns (n, axes, rows) of cells from 0 to 1 as they are drawn: (n, sensors × rows, 4), RGBA."""
    n, axes, rows = cells.shape
    by_sensor = cells.reshape(n, axes // 3, 3, rows).transpose(0, 1, 3, 2)
    colours = np.full((n, axes // 3 * rows, 4), 255, np.uint8)
    colours[..., :3] = np.clip(by_sensor, 0, 1).reshape(n, axes // 3 * rows, 3)[:, ::-1] * 255
    return colours


def blank(columns: int, height: int) -> NDArray[np.uint8]:
    """Columns where nothing is known."""
    return np.zeros((columns, height, 4), np.uint8)


def unknown(samples: int, channels: int) -> NDArray[np.float32]:
    """Samples that are not known."""
    return np.full((samples, channels), np.nan, np.float32)

"""Pictures of many windows at once: the same cells as the runtime's, by one large product."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from img2imu_edge.spectrogram import SpectrogramPlan
from img2imu_training.corpora.movement import Floats

_WINDOWS_AT_ONCE = 32
"""Their frames stay in a core's cache."""


class PicturePlan(SpectrogramPlan):
    """A spectrogram made ready for whole batches of windows."""

    def pictures(self, samples: Floats) -> NDArray[np.uint8]:
        """The pictures of windows, rounded to 1/255.

        Args:
            samples: (n, axes, samples), time last.

        Returns:
            (n, 3, sensors × rows, columns); cells are those of `img2imu_training.windows.pictures` × 255.
        """
        samples = np.ascontiguousarray(samples, np.float32)
        n, axes, length = samples.shape
        columns = (length - self.frame) // self.hop + 1
        made = np.empty((n, 3, axes // 3 * self.rows, columns), np.uint8)
        for start in range(0, n, _WINDOWS_AT_ONCE):
            some = samples[start : start + _WINDOWS_AT_ONCE]
            cells = self._cells(some, columns).transpose(0, 1, 3, 2)
            if self.spec.contrast == "window":
                low = cells.min(axis=(2, 3), keepdims=True)
                span = cells.max(axis=(2, 3), keepdims=True) - low
                cells = (cells - low) / np.where(span > 0, span, np.float32(1))
            by_sensor = cells.reshape(len(some), axes // 3, 3, self.rows, columns).transpose(0, 2, 1, 3, 4)
            made[start : start + len(some)] = (
                by_sensor.reshape(made[: len(some)].shape) * np.float32(255) + 0.5
            )
        return made

    def _cells(self, samples: Floats, columns: int) -> Floats:
        """Cells (n, axes, columns, rows) from 0 to 1 (decibels with `window` contrast)."""
        n, axes, _ = samples.shape
        frames = np.lib.stride_tricks.sliding_window_view(samples, self.frame, axis=2)[:, :, :: self.hop]
        product = np.ascontiguousarray(frames).reshape(-1, self.frame) @ self.basis
        rows, bins = self.spec.level_rows, len(self.frequencies)
        waves = product[:, rows:]
        np.square(waves, out=waves)
        power = waves[:, :bins]
        power += waves[:, bins:]
        power += self.floor
        np.log(power, out=power)
        shown = product[:, : self.rows].reshape(n, axes, columns, self.rows)
        cells: Floats = shown * self.gain[:, None]
        cells += self.offset[:, None]
        if self.spec.contrast == "fixed":
            np.clip(cells, 0, 1, out=cells)
        return cells

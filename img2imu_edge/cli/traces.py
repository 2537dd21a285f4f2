"""The last seconds of a stream, drawn with the dots of braille characters."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from img2imu_edge.samples import SampleBlock

_MOST_SAMPLES = 20_000
_BRIDGED_S = 0.3
_DOTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])
"""Bits of a braille character's dots, four rows of two (Unicode 15, section 21.1)."""


class Traces:
    """Keeps the last seconds of each channel.

    Args:
        channels: The channels.
        seconds: How much to keep.
    """

    def __init__(self, channels: Sequence[str], seconds: float = 6.0) -> None:
        self.channels, self.seconds = tuple(channels), seconds
        self._blocks: deque[SampleBlock] = deque()
        self._held = 0

    def push(self, block: SampleBlock) -> None:
        """Take in more samples."""
        if not len(block):
            return
        if self._blocks and block.times[0] <= self._blocks[-1].times[-1]:
            self._blocks.clear()
            self._held = 0
        self._blocks.append(block)
        self._held += len(block)
        newest = block.times[-1]
        while len(self._blocks) > 1 and (
            newest - self._blocks[0].times[-1] > self.seconds or self._held > _MOST_SAMPLES
        ):
            self._held -= len(self._blocks.popleft())

    @property
    def rate(self) -> float:
        """The inverse of the usual interval between samples in Hz; 0 if there are too few."""
        times = self._times()
        return 1 / float(np.median(np.diff(times))) if len(times) > 1 else 0.0

    def draw(self, channel: str, width: int, height: int, least: float) -> tuple[list[str], float, float]:
        """Draw a channel.

        Args:
            channel: Which one.
            width: Characters across.
            height: Lines.
            least: The least span of values that is drawn from bottom to top: noise stays small.

        Returns:
            The lines, and the values at the bottom and the top.
        """
        times, values = self._times(), self._values(channel)
        finite = np.isfinite(values)
        times, values = times[finite], values[finite].astype(np.float64)
        if not len(times):
            return [" " * width] * height, 0.0, 0.0
        low, high = float(values.min()), float(values.max())
        middle, span = (low + high) / 2, max(high - low, least)
        low, high = middle - span / 2, middle + span / 2
        lines = braille(_dots(times, (values - low) / span, width * 2, height * 4, self.seconds))
        return lines, low, high

    def _times(self) -> NDArray[np.float64]:
        return np.concatenate([b.times for b in self._blocks]) if self._blocks else np.empty(0)

    def _values(self, channel: str) -> NDArray[np.float32]:
        at = self.channels.index(channel)
        return np.concatenate([b.values[:, at] for b in self._blocks] or [np.empty(0, np.float32)])


def _dots(
    times: NDArray[np.float64], shares: NDArray[np.float64], columns: int, rows: int, seconds: float
) -> NDArray[np.bool_]:
    """Which dots (rows, columns) a line of shares from 0 to 1 touches; none where samples lack."""
    begin = times[-1] - seconds
    centres = begin + (np.arange(columns) + 0.5) * seconds / columns
    right = np.searchsorted(times, centres).clip(max=len(times) - 1)
    left = np.maximum(right - 1, 0)
    there = (times[right] - times[left] <= _BRIDGED_S) & (centres >= times[0]) & (centres <= times[-1])
    lows = np.where(there, np.interp(centres, times, shares), np.inf)
    highs = np.where(there, lows, -np.inf)
    column = ((times - begin) / seconds * columns).astype(int)
    inside = (column >= 0) & (column < columns)
    np.minimum.at(lows, column[inside], shares[inside])
    np.maximum.at(highs, column[inside], shares[inside])
    drawn = np.isfinite(lows)
    joined = drawn[1:] & drawn[:-1]
    before = highs[:-1].copy(), lows[:-1].copy()
    lows[1:] = np.where(joined, np.minimum(lows[1:], before[0]), lows[1:])
    highs[1:] = np.where(joined, np.maximum(highs[1:], before[1]), highs[1:])
    bottom = np.where(drawn, np.clip(lows, 0, 1), 2.0) * (rows - 1)
    top = np.where(drawn, np.clip(highs, 0, 1), -1.0) * (rows - 1)
    level = np.arange(rows)[::-1, None]
    touched: NDArray[np.bool_] = (level >= np.rint(bottom)) & (level <= np.rint(top))
    return touched


def braille(dots: NDArray[np.bool_]) -> list[str]:
    """Lines of braille characters that show dots of (4 × lines, 2 × characters)."""
    rows, columns = dots.shape
    cells = dots.reshape(rows // 4, 4, columns // 2, 2).transpose(0, 2, 1, 3)
    codes = 0x2800 + (cells * _DOTS).sum(axis=(2, 3))
    return ["".join(map(chr, line)) for line in codes.tolist()]

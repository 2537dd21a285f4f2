"""A motion whose every sample says which one it is, and the audit that holds each one to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import TracebackType
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

import img2imu_edge as i2e
from img2imu_edge.samples import ACCELEROMETER, GYROSCOPE

CHANNELS: Final = (*ACCELEROMETER, *GYROSCOPE)
UNITS: Final = 1000
"""Counts in one m/s² or rad/s."""

START_S: Final = 2**32 / 1e6 - 5.0
"""What the device's clock shows at its first sample: five seconds before its 32 bits of microseconds wrap."""

_BITS = 15
_MASK = (1 << _BITS) - 1
_MIDDLE = 1 << (_BITS - 1)
_FACTORS = (1, 1, 40503, 24571, 30011, 12345)
_EXACT_S = 1e-6


def counts_of(number: NDArray[np.int64]) -> NDArray[np.int64]:
    """Raw counts of samples: the number's low and high bits in two channels, noise from it in the others.

    Args:
        number: (samples,) from 0, below 2³⁰.

    Returns:
        (samples, 6), within 15 bits.
    """
    counts: NDArray[np.int64] = number[:, None] * np.array(_FACTORS)
    counts[:, 1] >>= _BITS
    return (counts & _MASK) - _MIDDLE


def make_motion(rate: float, seconds: float) -> i2e.Recording:
    """The motion as a recording whose clock begins at `START_S`."""
    number = np.arange(round(rate * seconds))
    values = (counts_of(number) / UNITS).astype(np.float32)
    return i2e.Recording("soak", START_S + number / rate, values, CHANNELS, None, rate)


class Audited:
    """A source on its way, each of its samples held to the motion; see `Source`.

    Attributes:
        received: Samples that came.
        lost: Samples that blocks said were missing before them.
        wrong: Samples whose time or values are not those of the motion.
        unflagged: Samples that are not right after the one before and what was said to be missing.
        last: Number of the sample that must come next if none is missing.
    """

    def __init__(self, source: i2e.Source, rate: float) -> None:
        self.received = self.lost = self.wrong = self.unflagged = self.last = 0
        self.url, self.stats = source.url, source.stats
        self._source, self._rate = source, rate

    @property
    def info(self) -> i2e.StreamInfo:
        """What the source delivers."""
        return self._source.info

    async def __aenter__(self) -> Self:
        await self._source.__aenter__()
        self.stats = self._source.stats
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self._source.__aexit__(exc_type, exc, tb)

    async def __aiter__(self) -> AsyncIterator[i2e.SampleBlock]:
        async for block in self._source:
            self._audit(block)
            yield block

    def _audit(self, block: i2e.SampleBlock) -> None:
        counts = np.rint(block.values.astype(np.float64) * UNITS).astype(np.int64) + _MIDDLE
        number = counts[:, 0] | counts[:, 1] << _BITS
        right = (counts_of(number) / UNITS).astype(np.float32) == block.values
        in_time = np.abs(block.times - START_S - number / self._rate) <= _EXACT_S
        self.wrong += int((~(right.all(axis=1) & in_time)).sum())
        expected = self.last + block.lost + np.arange(len(block))
        self.unflagged += int((number != expected).sum())
        self.received += len(block)
        self.lost += block.lost
        self.last = int(number[-1]) + 1

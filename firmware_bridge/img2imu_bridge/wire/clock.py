"""The sample clock: device time for every sample, though a message stamps only its first."""

from __future__ import annotations

import math
from typing import Final

from img2imu_bridge.wire.line import SETTLED_TOLERANCE, TOLERANCE

_MEMORY_SECONDS: Final = 60.0
_SETTLED_SAMPLES: Final = 500
_MIN_STEP: Final = 1 / 8


class SampleClock:
    """Spreads a message's samples in time, and learns the true sampling period while doing so.

    A message's first sample has the time that the device says. The next ones follow at the sampling period:
    the nominal one until messages show otherwise, then the mean over what was seen, at most the last minute,
    and never more than 10 % off nominal. Observations within one tick of nominal count as nominal, so that a
    clock too coarse to divide evenly changes nothing.

    Attributes:
        period: Ticks between samples, as known now.
    """

    def __init__(self, ticks_per_second: float, period: float) -> None:
        """Start with a clock in Hz and a nominal period in ticks."""
        self.period = period
        self._nominal = period
        self._ticks_per_second = ticks_per_second
        self._memory = _MEMORY_SECONDS * ticks_per_second / period
        self._observed = 0.0
        self._previous: tuple[int, int] | None = None
        self._offset = 0
        self._end = -math.inf  # ticks of the last sample placed, offset included
        self._received = math.nan
        self._restarted = False

    @property
    def tolerance(self) -> float:
        """How far the true period may be off `period`, as a fraction."""
        return TOLERANCE if self._observed < _SETTLED_SAMPLES else SETTLED_TOLERANCE

    def place(self, index: int, ticks: int, count: int, skip: int, received: float) -> tuple[float, float]:
        """Give the samples of the next message their times.

        Args:
            index: Number of its first sample.
            ticks: The clock at that sample, not wrapped.
            count: Its samples.
            skip: How many of them, from the first, are not wanted; less than `count`.
            received: Seconds on the host's clock when it arrived, or NaN.

        Returns:
            Ticks of the first wanted sample and ticks between samples. Always after the last one placed.
        """
        previous = self._previous
        if previous is not None:
            self._refine(index - previous[0], ticks - previous[1])
        self._previous = index, ticks
        wanted = count - skip
        step = self.period
        if self._restarted:
            self._continue_after_restart(ticks, count, received)
        start = ticks + self._offset + skip * step
        if start - self._end < step * _MIN_STEP:
            # The message before was stretched too far: the true rate is higher than it was thought to be.
            step = max((start + (wanted - 1) * step - self._end) / wanted, step * _MIN_STEP)
            start = self._end + step
        self._end = start + (wanted - 1) * step
        self._received = received
        return start, step

    def restart(self) -> None:
        """Note that the device's clock began anew: the next message's time follows the last one's.

        Real time goes on by what the host saw pass between the two messages, else by one period.
        """
        self._previous = None
        self._restarted = self._end > -math.inf

    def retune(self, ticks_per_second: float, period: float) -> None:
        """Take over a new nominal period in ticks; the clock's rate may differ only after a restart."""
        if (ticks_per_second, period) == (self._ticks_per_second, self._nominal):
            return
        self._end *= ticks_per_second / self._ticks_per_second
        self._ticks_per_second = ticks_per_second
        self.period = self._nominal = period
        self._memory = _MEMORY_SECONDS * ticks_per_second / period
        self._observed = 0.0
        self._previous = None

    def _continue_after_restart(self, ticks: int, count: int, received: float) -> None:
        self._restarted = False
        passed = (received - self._received) * self._ticks_per_second - (count - 1) * self.period
        if not passed > self.period:  # also when it is NaN
            passed = self.period
        self._offset = round(self._end + passed) - ticks

    def _refine(self, samples: int, elapsed: int) -> None:
        expected = samples * self._nominal
        if abs(elapsed - round(expected)) <= 1:
            if self.period == self._nominal:
                self._observed = min(self._observed + samples, self._memory)
                return
        elif abs(elapsed - expected) > TOLERANCE * expected:
            return  # a pause, or a stamp too far off to learn from
        else:
            expected = elapsed
        self._observed = min(self._observed + samples, self._memory)
        self.period += (expected - samples * self.period) / self._observed
        limit = TOLERANCE * self._nominal
        self.period = min(max(self.period, self._nominal - limit), self._nominal + limit)

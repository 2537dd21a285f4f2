"""Resampler: device times to the model's uniform grid, with lost samples flagged.

Short gaps are bridged in a straight line and flagged; after a long one the grid starts anew. What comes out
depends on the samples alone, never on how they were chunked.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LOBES = 4
"""Zero crossings of the Lanczos kernel on either side (Duchon, 1979): the delay where it is needed."""

ALIGNED = 1e-3
"""A sample this close to a grid point, in sampling intervals, is taken as it is, without waiting."""

GAP = 1.5
"""Intervals longer than this many nominal ones hold lost samples."""

Times = NDArray[np.float64]
Values = NDArray[np.float32]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Segment:
    """Samples on the model's grid.

    Attributes:
        start: Device time in seconds of the grid's sample 0; sample k lies at start + k / rate.
        restart: Whether the grid starts here.
        values: (n, channels) float32.
        real: (n,) False where the values only bridge a gap.
    """

    start: float
    restart: bool
    values: Values
    real: Flags


class Resampler:
    """From `rate_in` (nominal; the times count) to exactly `rate_out`.

    Args:
        rate_in: Nominal sampling rate of the device in Hz.
        rate_out: Sampling rate of the grid in Hz.
        channels: Columns of the values.
        max_gap_s: Longest gap in seconds to bridge; also the largest step back that counts as a late sample
            and not as a device whose clock was reset.

    Attributes:
        late: Samples dropped because their time was not after the one before.
        invalid: Samples dropped because a value or the time was not finite.
    """

    def __init__(self, rate_in: float, rate_out: float, channels: int, max_gap_s: float) -> None:
        self.rate_in, self.rate_out, self.max_gap_s = rate_in, rate_out, max_gap_s
        self.late = self.invalid = 0
        self._channels = channels
        self._cutoff = min(rate_in, rate_out)
        self._reach = LOBES / self._cutoff
        self._taps = int(np.ceil(2 * self._reach * rate_in)) + 2
        self._may_take = rate_in <= rate_out * (1 + ALIGNED)
        self._started = self._on_grid = False
        self._latest = 0.0
        self._passed: deque[tuple[Times, Values]] = deque(maxlen=self._taps)
        self._steps: Times = np.empty(0)
        self._all_real: Flags
        self._times: Times
        self._values: Values
        self._real: Flags
        self._begin(0.0)

    def push(self, times: Times, values: Values) -> list[Segment]:
        """Take in samples.

        Args:
            times: (n,) seconds.
            values: (n, channels), the same unit for good.

        Returns:
            What can be said for sure now, in order.
        """
        if segment := self._pass_through(times, values):
            return [segment]
        self._recall()
        finite = np.isfinite(times) & np.isfinite(values).all(axis=1)
        if not finite.all():
            self.invalid += int(len(finite) - finite.sum())
            times, values = times[finite], values[finite]
        if not len(times):
            return []
        steps = np.diff(times, prepend=self._latest if self._started else times[0])
        self._latest = float(times[-1])
        breaks = np.flatnonzero(np.abs(steps) > self.max_gap_s)
        segments = []
        for piece in np.split(np.arange(len(times)), breaks):
            if not len(piece):
                continue
            if not self._started or piece[0] in breaks:
                segments += self.flush()
                self._begin(float(times[piece[0]]))
                self._started = True
            self._take_in(times[piece], values[piece])
            segments += self._emit(self._times[-1] - self._reach)
        latest = self._start + (self._next - 1) / self.rate_out
        self._on_grid = self._may_take and abs(self._times[-1] - latest) <= ALIGNED / self.rate_in
        return segments

    def _pass_through(self, times: Times, values: Values) -> Segment | None:
        """The common case in a fraction of the time: samples right on the grid, and none held back before."""
        n = len(times)
        if not (self._on_grid and n):
            return None
        if n > len(self._steps):
            self._steps, self._all_real = np.arange(n) / self.rate_out, np.ones(n, np.bool_)
            self._all_real.flags.writeable = False  # it is given out again and again
        off = times - self._steps[:n]
        off -= self._start + self._next / self.rate_out
        tolerance = ALIGNED / self.rate_in
        # In this order a NaN, which compares as False, is refused.
        if not (off.max() <= tolerance and off.min() >= -tolerance and np.isfinite(values).all()):
            return None
        self._latest = times.item(-1)
        self._next += n
        self._passed.append((times[-self._taps :].copy(), values[-self._taps :].copy()))
        return Segment(self._start, False, values, self._all_real[:n])

    def _recall(self) -> None:
        """Hold what passed through beside what was held before, as far back as a kernel reaches."""
        if self._passed:
            times, values = zip(*self._passed, strict=True)
            self._passed.clear()
            self._times = np.concatenate([self._times, *times])[-self._taps :]
            self._values = np.concatenate([self._values, *values])[-self._taps :]
            fresh = np.ones(sum(map(len, times)), np.bool_)
            self._real = np.concatenate([self._real, fresh])[-self._taps :]

    def flush(self) -> list[Segment]:
        """What is still held back for samples that now will not come."""
        self._recall()
        return self._emit(np.inf) if self._started and len(self._times) else []

    def _begin(self, start: float) -> None:
        self._start, self._next = start, 0
        self._times = np.empty(0, np.float64)
        self._values = np.empty((0, self._channels), np.float32)
        self._real = np.empty(0, np.bool_)

    def _take_in(self, times: Times, values: Values) -> None:
        """Append to what is held, without late samples and with gaps bridged."""
        latest = self._times[-1] if len(self._times) else -np.inf
        fresh = times > np.maximum.accumulate(np.concatenate([[latest], times[:-1]]))
        if not fresh.all():
            self.late += int(len(fresh) - fresh.sum())
            times, values = times[fresh], values[fresh]
        real = np.ones(len(times), np.bool_)
        if len(self._times):
            times = np.concatenate([self._times[-1:], times])
            values = np.concatenate([self._values[-1:], values])
            real = np.concatenate([self._real[-1:], real])
            self._times, self._values, self._real = self._times[:-1], self._values[:-1], self._real[:-1]
        missing = np.rint(np.diff(times) * self.rate_in).astype(np.int64) - 1
        missing[np.diff(times) <= GAP / self.rate_in] = 0
        if missing.any():
            times, values, real = _bridge(times, values, real, missing)
        self._times = np.concatenate([self._times, times])
        self._values = np.concatenate([self._values, values])
        self._real = np.concatenate([self._real, real])

    def _emit(self, sure_until: float) -> list[Segment]:
        """All grid points that are decided: those up to `sure_until`, and those right on a sample."""
        tolerance = ALIGNED / self.rate_in
        last = self._times[-1]
        count = int((last + tolerance - self._start) * self.rate_out) + 1 - self._next
        if count <= 0:
            return []
        at = self._start + np.arange(self._next, self._next + count) / self.rate_out
        at = at[at <= last + tolerance]
        nearest = np.searchsorted(self._times, at - tolerance).clip(max=len(self._times) - 1)
        on_sample = (np.abs(self._times[nearest] - at) <= tolerance) & self._may_take
        ready = on_sample | (at <= sure_until)
        count = len(at) if ready.all() else int(ready.argmin())
        if count == 0:
            return []
        at, nearest, on_sample = at[:count], nearest[:count], on_sample[:count]
        values, real = self._values[nearest], self._real[nearest]
        between = ~on_sample
        if between.any():
            values[between], real[between] = self._interpolate(at[between])
        segment = Segment(self._start, self._next == 0, values, real)
        self._next += count
        self._forget(self._start + self._next / self.rate_out - self._reach)
        return [segment]

    def _interpolate(self, at: Times) -> tuple[Values, Flags]:
        """Lanczos interpolation with the cut-off at the lower of the two rates, weights summing to one."""
        first = np.searchsorted(self._times, at - self._reach)
        taps = first[:, None] + np.arange(self._taps)
        inside = taps < len(self._times)
        taps = taps.clip(max=len(self._times) - 1)
        x = (at[:, None] - self._times[taps]) * self._cutoff
        weights = np.sinc(x) * np.sinc(x / LOBES) * (inside & (np.abs(x) < LOBES))
        weights /= weights.sum(axis=1, keepdims=True)
        values = np.einsum("kt,ktc->kc", weights, self._values[taps])
        after = np.searchsorted(self._times, at).clip(1, max(len(self._times) - 1, 1))
        after = after.clip(max=len(self._times) - 1)
        return values.astype(np.float32), self._real[after] & self._real[np.maximum(after - 1, 0)]

    def _forget(self, before: float) -> None:
        """Drop samples that no later grid point can reach; the last one always stays."""
        keep = min(int(np.searchsorted(self._times, before)) - 1, len(self._times) - 1)
        if keep > 0:
            self._times, self._values, self._real = (
                self._times[keep:],
                self._values[keep:],
                self._real[keep:],
            )


def _bridge(
    times: Times, values: Values, real: Flags, missing: NDArray[np.int64]
) -> tuple[Times, Values, Flags]:
    """Put `missing[i]` evenly spaced samples on a straight line between samples i and i + 1."""
    parts = np.concatenate([missing + 1, [1]])
    before = np.repeat(np.arange(len(times)), parts)
    step = np.arange(len(before)) - np.repeat(np.cumsum(parts) - parts, parts)
    after = np.minimum(before + 1, len(times) - 1)
    share = step / parts[before]
    bridged = times[before] + share * (times[after] - times[before])
    line = values[before] + share[:, None] * (values[after] - values[before])
    return bridged, line.astype(np.float32), real[before] & (step == 0)

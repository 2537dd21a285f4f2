"""Resampler: device times to the model's uniform grid, with lost samples flagged.

Short gaps are bridged in a straight line and flagged; after a long one the grid starts anew. What comes out
depends on the samples alone, never on how they were chunked.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import pairwise

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
        tolerance: Seconds from a grid point within which a sample is taken as it is.
    """

    def __init__(self, rate_in: float, rate_out: float, channels: int, max_gap_s: float) -> None:
        self.rate_in, self.rate_out, self.max_gap_s = rate_in, rate_out, max_gap_s
        self.late = self.invalid = 0
        self.tolerance = ALIGNED / rate_in
        self._channels = channels
        self._cutoff = min(rate_in, rate_out)
        self._reach = LOBES / self._cutoff
        self._taps = int(np.ceil(2 * self._reach * rate_in)) + 2
        self._each_tap = np.arange(self._taps)
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
        before = self._latest if self._started else times[0]
        self._latest = float(times[-1])
        steps = _steps(before, times)
        segments = []
        for piece in _unbroken(np.abs(steps) > self.max_gap_s):
            if piece.start or not self._started or abs(steps[0]) > self.max_gap_s:
                segments += self.flush()
                self._begin(float(times[piece.start]))
                self._started = True
            self._take_in(times[piece], values[piece])
            segments += self._emit(self._times[-1] - self._reach)
        latest = self._start + (self._next - 1) / self.rate_out
        self._on_grid = self._may_take and abs(self._times[-1] - latest) <= self.tolerance
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
        # In this order a NaN, which compares as False, is refused.
        if not (off.max() <= self.tolerance and off.min() >= -self.tolerance and np.isfinite(values).all()):
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

    def reaches(self, times: Times, at: float) -> bool:
        """Whether samples can decide a point of the grid, so that it is worth while to push them.

        Args:
            times: (n,) seconds, one at least; those of samples before them did not reach it.
            at: The point's time, as the grid has it.
        """
        last = times[-1]
        if self._next and last < at - self.tolerance:  # before a grid's first point its start is not known
            return False
        if not (self._next and last - self._reach < at):  # in these words, for a NaN is not known to be early
            return True
        return self._may_take and bool((np.abs(times - at) <= self.tolerance).any())

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
        held = len(self._times) > 0
        latest = self._times[-1] if held else -np.inf
        steps = _steps(latest, times)
        if not steps.min() > 0:
            fresh = times > np.maximum.accumulate(np.concatenate([[latest], times[:-1]]))
            self.late += int(len(fresh) - fresh.sum())
            times, values = times[fresh], values[fresh]
            steps = _steps(latest, times)
        real = np.ones(len(times), np.bool_)
        wide = steps > GAP / self.rate_in
        wide[:1] &= held
        if wide.any():
            missing = np.where(wide, np.rint(steps * self.rate_in) - 1, 0).astype(np.int64)
            times, values, real = _bridge(
                np.concatenate([self._times[-1:], times]),
                np.concatenate([self._values[-1:], values]),
                np.concatenate([self._real[-1:], real]),
                missing if held else missing[1:],
            )
            self._times, self._values, self._real = self._times[:-1], self._values[:-1], self._real[:-1]
        self._times = np.concatenate([self._times, times])
        self._values = np.concatenate([self._values, values])
        self._real = np.concatenate([self._real, real])

    def _emit(self, sure_until: float) -> list[Segment]:
        """All grid points that are decided: those up to `sure_until`, and those right on a sample."""
        last = self._times[-1]
        count = int((last + self.tolerance - self._start) * self.rate_out) + 1 - self._next
        if count <= 0:
            return []
        at = self._start + np.arange(self._next, self._next + count) / self.rate_out
        at = at[at <= last + self.tolerance]
        if self._may_take:
            nearest = np.minimum(self._times.searchsorted(at - self.tolerance), len(self._times) - 1)
            on_sample = np.abs(self._times[nearest] - at) <= self.tolerance
        else:
            on_sample = np.zeros(len(at), np.bool_)
        ready = on_sample | (at <= sure_until)
        count = len(at) if ready.all() else int(ready.argmin())
        if count == 0:
            return []
        at, on_sample = at[:count], on_sample[:count]
        if not on_sample.any():
            values, real = self._interpolate(at)
        else:
            values, real = self._values[nearest[:count]], self._real[nearest[:count]]
            if not on_sample.all():
                values[~on_sample], real[~on_sample] = self._interpolate(at[~on_sample])
        segment = Segment(self._start, self._next == 0, values, real)
        self._next += count
        self._forget(self._start + self._next / self.rate_out - self._reach)
        return [segment]

    def _interpolate(self, at: Times) -> tuple[Values, Flags]:
        """Lanczos interpolation with the cut-off at the lower of the two rates, weights summing to one."""
        held = len(self._times)
        taps = self._times.searchsorted(at - self._reach)[:, None] + self._each_tap
        inside = taps < held
        taps = np.minimum(taps, held - 1)
        x = (at[:, None] - self._times[taps]) * self._cutoff
        weights = _lanczos(x)
        weights *= inside
        weights /= weights.sum(axis=1, keepdims=True)
        values = np.einsum("kt,ktc->kc", weights, self._values[taps])
        # Both neighbours must be real; at the end of a stream a point may lie past the last sample.
        after = np.minimum(np.maximum(self._times.searchsorted(at), min(1, held - 1)), held - 1)
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


def _steps(latest: float, times: Times) -> Times:
    """From each sample to the next, the first one's from `latest`."""
    steps = np.empty(len(times))
    steps[:1] = times[:1] - latest
    np.subtract(times[1:], times[:-1], out=steps[1:])
    return steps


def _unbroken(breaks: Flags) -> list[slice]:
    """The stretches without a break, each of which may begin with one."""
    if not breaks[1:].any():
        return [slice(0, len(breaks))]
    bounds = [0, *(np.flatnonzero(breaks[1:]) + 1).tolist(), len(breaks)]
    return [slice(*pair) for pair in pairwise(bounds)]


def _lanczos(x: Times) -> Times:
    """The kernel sinc(x) sinc(x / lobes), 0 from its last zero crossing on."""
    far = np.abs(x) >= LOBES
    x = x * np.pi
    x[x == 0] = 1e-20  # where it is 1, as the quotients then are
    weights = np.sin(x)
    weights *= np.sin(x / LOBES)
    weights /= x * x
    weights *= LOBES
    weights[far] = 0.0
    return weights


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

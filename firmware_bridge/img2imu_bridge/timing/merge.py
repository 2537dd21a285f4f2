"""Merger: several streams of one device, on the sample times of the first."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import deque
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from img2imu_bridge.profiles import Stream
from img2imu_bridge.timing import Run, warn
from img2imu_edge.source import LinkStats

_PATIENCE_SECONDS: Final = 1.0
_PATIENCE_RUNS: Final = 3.0
_LONGEST_PATIENCE: Final = 10.0
_BRIDGED_PERIODS: Final = 1.75
_MOST_PENDING: Final = 1 << 16


class Companion:
    """A stream that is interpolated: its latest samples, as far as they are still needed."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.last = math.nan
        self._times: list[float] = []
        self._values = np.empty((0, len(stream.channels)), np.float32)

    def extend(self, run: Run, needed: float) -> None:
        """Take samples in; forget those more than one sample before `needed`, all but one if that is NaN."""
        passed = len(self._times) if math.isnan(needed) else bisect_left(self._times, needed)
        first = max(passed - 1, len(self._times) - _MOST_PENDING, 0)
        del self._times[:first]
        self._times += run.times.tolist()
        self._values = np.concatenate([self._values[first:], run.values])
        self.last = self._times[-1]

    def at(self, times: NDArray[np.float64], rate: float) -> NDArray[np.float32]:
        """Values at other times, in a straight line; NaN where neighbours lack.

        Args:
            times: (n,) seconds, increasing.
            rate: The stream's sampling rate in Hz.
        """
        if not self._times:
            return np.full((len(times), len(self.stream.channels)), np.nan, np.float32)
        places, gaps = [], []
        for number, time in enumerate(times.tolist()):  # most often one: an array would cost more
            left, right, share, gap = self._between(time, rate)
            places.append((left, right, share))
            if gap:
                gaps.append(number)
        left_rows, right_rows, shares = zip(*places, strict=True)
        begin, end = self._values.take(left_rows, axis=0), self._values.take(right_rows, axis=0)
        values = begin + np.array(shares)[:, None] * (end - begin)
        interpolated: NDArray[np.float32] = values.astype(np.float32)
        if gaps:
            interpolated[gaps] = np.nan
        return interpolated

    def _between(self, time: float, rate: float) -> tuple[int, int, float, bool]:
        """Neighbours of a time, how far it is from the first to the second, and whether it is in a gap."""
        right = min(bisect_left(self._times, time), len(self._times) - 1)
        left = max(right - 1, 0) if self._times[right] > time else right
        begin = self._times[left]
        width = self._times[right] - begin
        share = (time - begin) / width if width > 0 else 0.0
        # Right before the first sample and after the last one, the nearest does.
        outside = abs(time - begin - share * width)
        return left, right, share, width > _BRIDGED_PERIODS / rate or outside > 1 / rate


class Merger:
    """Gives the first stream's samples the values that the other streams had at these times.

    A sample waits until the others have got as far, but at most a second, or three packets' time where that
    is longer. Then it goes without: its channels are NaN there, as they are where a stream has a gap. So a
    model that needs a stream that died gets gaps, and one that does not need it is not disturbed. A stream
    that fell behind is not waited for until it has caught up.
    """

    def __init__(self, streams: Sequence[Stream], stats: LinkStats) -> None:
        """Begin with all streams, the one that sets the pace first."""
        self._stats = stats
        self._first = streams[0]
        self._others = {stream.name: Companion(stream) for stream in streams[1:]}
        self._rates = {stream.name: stream.rate for stream in streams}
        self._pending: deque[Run] = deque()
        self._waiting = 0
        self._begin = self._latest = math.nan
        self._longest = 0.0
        self._received = math.nan

    def push(self, name: str, rate: float, runs: list[Run]) -> list[Run]:
        """Take in runs of one stream, with its true rate; return what is complete."""
        for run in runs:
            self._received = run.received
            self._longest = max(self._longest, float(run.times[-1] - run.times[0]) + 1 / rate)
            self._rates[name] = rate
            if name != self._first.name:
                companion = self._others[name]
                companion.extend(run, float(self._pending[0].times[0]) if self._pending else self._latest)
                self._notice_silent_first(companion)
                continue
            if math.isnan(self._begin):
                self._begin = float(run.times[0])
            self._latest = float(run.times[-1])
            self._pending.append(run)
            self._waiting += len(run.times)
        return self._emit(self._complete_until())

    def flush(self) -> list[Run]:
        """Return what waits, with what there is."""
        return self._emit(math.inf)

    @property
    def _patience(self) -> float:
        longest = max(_PATIENCE_SECONDS, _PATIENCE_RUNS * self._longest)
        return min(longest, _LONGEST_PATIENCE)

    def _complete_until(self) -> float:
        """The time up to which nothing more can come, or is waited for."""
        until = self._latest
        for companion in self._others.values():
            last = self._begin if math.isnan(companion.last) else companion.last
            if self._latest - last <= self._patience and self._waiting <= _MOST_PENDING:
                until = min(until, -math.inf if math.isnan(companion.last) else last)
            else:
                self._notice_silent(companion)
        return until

    def _emit(self, until: float) -> list[Run]:
        merged = []
        while self._pending and self._pending[0].times[0] <= until:
            run = self._pending.popleft()
            ready = len(run.times)
            if run.times[-1] > until:
                ready = int(np.searchsorted(run.times, until, side="right"))
                self._pending.appendleft(
                    run._replace(times=run.times[ready:], values=run.values[ready:], lost=0, broken=False)
                )
            times = run.times[:ready]
            others = [other.at(times, self._rates[name]) for name, other in self._others.items()]
            values = np.concatenate([run.values[:ready], *others], axis=1)
            self._waiting -= ready
            merged.append(Run(times, values, run.lost, run.broken, self._received))
        return merged

    def _notice_silent(self, companion: Companion) -> None:
        warn(
            self._stats,
            f"the device sends {self._first.name!r}, but its stream {companion.stream.name!r} fell silent: "
            f"{', '.join(companion.stream.channels)} have no values meanwhile. Switch that sensor on, or use "
            "a model that does without it",
        )

    def _notice_silent_first(self, companion: Companion) -> None:
        if companion.last - self._latest > _LONGEST_PATIENCE:
            warn(
                self._stats,
                f"the device sends {companion.stream.name!r}, but its stream {self._first.name!r}, which "
                "sets the pace, fell silent: nothing comes. Switch that sensor on",
            )

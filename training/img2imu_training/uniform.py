"""Recordings of any rate, with gaps, onto one uniform grid: by the resampler that the runtime uses."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from img2imu_edge.recording import Recording
from img2imu_edge.resample import GAP, Resampler

BRIDGE_S = 0.2
"""Seconds of the longest gap that is bridged in a straight line: a lost radio packet or two. The runtime
bridges longer ones as well and discounts them by its coverage; there is nothing to learn from them."""

SAME_RATE = 0.02
"""Rates that differ by less than this share are one rate on two clocks."""

_BLOCK = 4096


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a recording without long gaps, on a uniform grid.

    Attributes:
        values: (samples, channels) float32.
        nearest: (samples,) index of the nearest sample of the recording, whose label holds.
        bridged: Samples that only bridge a short gap.
    """

    values: NDArray[np.float32]
    nearest: NDArray[np.int64]
    bridged: int


def parts(recording: Recording, channels: tuple[str, ...], rate: float) -> list[Part]:
    """Bring a recording to a rate, parted where more than `BRIDGE_S` is missing.

    Samples that lie on the grid already keep their bits.

    Args:
        recording: With at least these channels.
        channels: Columns of the result.
        rate: Hz.
    """
    order = [recording.channels.index(name) for name in channels]
    bridge = max(BRIDGE_S, GAP / recording.rate)
    resampler = Resampler(recording.rate, rate, len(channels), bridge)
    segments = [
        segment
        for block in recording.blocks(_BLOCK)
        for segment in resampler.push(block.times, np.ascontiguousarray(block.values[:, order]))
    ]
    segments += resampler.flush()
    middles = (recording.times[1:] + recording.times[:-1]) / 2
    starts = [i for i, segment in enumerate(segments) if segment.restart]
    found = []
    for first, end in zip(starts, [*starts[1:], len(segments)], strict=True):
        values = np.concatenate([segment.values for segment in segments[first:end]])
        at = segments[first].start + np.arange(len(values)) / rate
        real = sum(int(segment.real.sum()) for segment in segments[first:end])
        found.append(Part(values, np.searchsorted(middles, at), len(values) - real))
    return found


def common_rate(recordings: Iterable[Recording]) -> float:
    """The rate in Hz that most of the recorded time has.

    Clocks that are a little off a whole number of samples per second count as that number, unless all
    recordings agree to the last digit.
    """
    seconds: dict[float, float] = defaultdict(float)
    exact: set[float] = set()
    for recording in recordings:
        whole = float(round(recording.rate))
        near = abs(recording.rate - whole) < SAME_RATE / 4 * whole
        seconds[whole if near else recording.rate] += len(recording) / recording.rate
        exact.add(recording.rate)
    return exact.pop() if len(exact) == 1 else max(seconds, key=lambda rate: (seconds[rate], rate))

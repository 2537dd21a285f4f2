"""What the device's clock shows in the host's time, though every arrival is late by an unknown amount.

Nothing arrives before it was sent. So the packets that were least late say most, and the others nothing: the
passive minimum filter (E. Olson, "A passive solution to the sensor synchronization problem", IROS 2010).
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

SKEW: Final = 100e-6
"""How much faster or slower than the host's a device's clock may run; a crystal is within 50 ppm."""

_LINE_SECONDS: Final = 1.0
_LINE_POINTS: Final = 120
LEARNED_SECONDS: Final = 4.0
"""How long arrivals are watched before they are believed more than the nominal period."""

_FURTHEST: Final = 4.0
_LATENESS_PACKETS: Final = 128


class PassiveMinimum:
    """Maps a device's clock to the host's: `host = device + offset`, with the smallest offset that was seen.

    The offset may grow by `skew`, so that it follows a device's clock that runs slow: if that is less than
    the clocks' true difference, the mapping falls behind.

    Attributes:
        offset: Host seconds less device seconds, of a packet that was not late; NaN before the first one.
    """

    __slots__ = ("_device", "_skew", "offset")

    def __init__(self, skew: float = SKEW) -> None:
        self._skew = skew
        self.reset()

    def reset(self) -> None:
        """Forget everything: another connection is late by other amounts."""
        self.offset = math.nan
        self._device = math.nan

    def observe(self, device: float, host: float) -> float:
        """Take in a packet.

        Args:
            device: Seconds on the device's clock.
            host: Seconds on the host's clock when it arrived.

        Returns:
            Host time at which `device` was.
        """
        grown = self.offset + self._skew * max(0.0, device - self._device)
        self.offset = grown if grown < host - device else host - device  # the latter also if `grown` is NaN
        self._device = device if not self._device > device else self._device
        return device + self.offset


def passive_minimum(
    device: NDArray[np.float64], host: NDArray[np.float64], skew: float = SKEW
) -> NDArray[np.float64]:
    """The filter over a whole recording; equal to `PassiveMinimum.observe` for each packet in turn.

    Args:
        device: (packets,) seconds on the device's clock, not decreasing.
        host: (packets,) seconds on the host's clock when each arrived.
        skew: As for `PassiveMinimum`.

    Returns:
        (packets,) host time of each `device`, from what was known then.
    """
    late = np.minimum.accumulate(host - device * (1 + skew))
    mapped: NDArray[np.float64] = late + device * (1 + skew)
    return mapped


class ArrivalLine:
    """The host's time of every sample of a device that has no clock, from when packets arrived.

    The n-th sample's time is taken to be a line in n that no arrival lies before. Its slope, the true
    sampling period, comes from the lower convex hull of the earliest arrivals of each second, two minutes at
    most: the edge below the mean, which leaves the least lateness in total (S. Moon et al., "Estimation and
    removal of clock skew from network delay measurements", INFOCOM 1999). Its height is the passive minimum.

    Attributes:
        period: Seconds between samples, the nominal ones until four seconds were seen.
        lateness: Mean seconds by which packets came after the line, over some hundred packets.
    """

    __slots__ = ("_best", "_ends", "_nominal", "_offset", "_origin", "_points", "lateness", "period")

    def __init__(self, period: float) -> None:
        """Begin with the nominal period in seconds."""
        self.period = self._nominal = period
        self.reset()

    def reset(self) -> None:
        """Forget when things arrived, but not how fast the device samples."""
        self._origin = (0.0, math.nan)  # of all that follows, to keep the numbers small
        self._offset = self.lateness = self._ends = 0.0
        self._points: list[tuple[float, float]] = []  # the earliest (sample, arrival) of each second
        self._best = (0.0, 0.0)  # of the second that runs

    @property
    def begun(self) -> bool:
        """Whether anything arrived since the beginning or the last reset."""
        return not math.isnan(self._origin[1])

    @property
    def seconds(self) -> float:
        """How much of the past the line rests on."""
        return self._points[-1][1] - self._points[0][1] if self._points else 0.0

    def at(self, index: float) -> float:
        """The host's time of a sample."""
        return self._origin[1] + self._offset + (index - self._origin[0]) * self.period

    def index(self, host: float) -> float:
        """The sample that is taken at a time of the host; not whole."""
        return self._origin[0] + (host - self._origin[1] - self._offset) / self.period

    def observe(self, index: float, host: float) -> None:
        """Take in when a sample arrived; its packet's last one, which had to wait least."""
        if not self.begun:
            self._origin = index, host
            self._ends = _LINE_SECONDS
            return
        x, y = index - self._origin[0], host - self._origin[1]
        late = y - x * self.period - self._offset
        self._offset += min(late, 0.0)
        self.lateness += (max(late, 0.0) - self.lateness) / _LATENESS_PACKETS
        if y >= self._ends:
            self._points = [*self._points[1 - _LINE_POINTS :], self._best]
            self._refit()
            self._best, self._ends = (x, y), y + _LINE_SECONDS
        elif y - x * self.period < self._best[1] - self._best[0] * self.period:
            self._best = x, y

    def _refit(self) -> None:
        if self.seconds >= LEARNED_SECONDS:
            (x0, y0), (x1, y1) = _edge_below_mean(self._points)
            slope = (y1 - y0) / (x1 - x0)
            self.period = min(max(slope, self._nominal / _FURTHEST), self._nominal * _FURTHEST)
        self._offset = min(y - x * self.period for x, y in self._points)


def _edge_below_mean(points: list[tuple[float, float]]) -> tuple[tuple[float, float], tuple[float, float]]:
    """The edge of the lower convex hull at the mean x, of points in the order of x (Andrew, 1979)."""
    hull: list[tuple[float, float]] = []
    for x, y in points:
        while len(hull) > 1:
            (x0, y0), (x1, y1) = hull[-2:]
            if (x1 - x0) * (y - y0) > (y1 - y0) * (x - x0):
                break
            hull.pop()
        hull.append((x, y))
    mean = sum(x for x, _ in points) / len(points)
    return next((a, b) for a, b in pairwise(hull) if b[0] >= mean)

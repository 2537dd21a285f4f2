"""DeviceTicks: the one clock of a device that stamps its packets, whole and never set back."""

from __future__ import annotations

import math
from typing import Final

from img2imu_bridge.clocks import PassiveMinimum
from img2imu_bridge.timing import AHEAD_SECONDS, BEHIND_SECONDS, unwrap

_DRIFT: Final = 1e-3
_FURTHEST_SECONDS: Final = 1e10  # microseconds can be told apart up to there


class DeviceTicks:
    """Unwraps the stamps of all streams of a device, with the help of the host's clock.

    However narrow a stamp is: between two packets the host's clock says how often it turned over. After the
    device began anew, its clock goes on from where the host's says that it would have been.

    Attributes:
        per_second: The unit.
    """

    def __init__(self, bits: int, per_second: float) -> None:
        self.per_second = per_second
        self._bits = bits
        self._mapping = PassiveMinimum()
        self._epoch = 0  # added to what the device says
        self._latest = 0  # epoch included
        self._received = math.nan
        self._begun = self._resuming = False

    def read(self, raw: int, received: float) -> tuple[int, bool]:
        """Unwrap a stamp.

        Returns:
            The device's clock, and whether that is where the host's clock lets one expect it.
        """
        if not self._begun:
            far = raw / self.per_second > _FURTHEST_SECONDS
            self._epoch = -raw if far else 0
            return raw + self._epoch, True
        expected = self._expected(received)
        ticks = unwrap(raw + self._epoch, self._bits, expected)
        ahead = (ticks - expected) / self.per_second
        allowed = AHEAD_SECONDS
        if received > self._received:
            allowed += _DRIFT * (received - self._received)
        return ticks, -(allowed if self._resuming else BEHIND_SECONDS) <= ahead <= allowed

    def believe(self, ticks: int, received: float) -> None:
        """Go on from a stamp that was read and fits."""
        if self._resuming:
            self._mapping.reset()
        if not self._begun or ticks > self._latest:
            self._latest = ticks
            self._received = received
        self._begun, self._resuming = True, False
        if not math.isnan(received):
            self._mapping.observe(ticks / self.per_second, received)

    def begin_anew(self, raw: int, received: float, after: int) -> int:
        """Take a stamp for the first one of a clock that began anew.

        Args:
            raw: The stamp.
            received: The host's time when it arrived.
            after: The least that it may be, from then on.

        Returns:
            The device's clock, as if it had gone on.
        """
        ticks = max(round(self._expected(received)), after)
        self._epoch = ticks - raw
        self._mapping.reset()
        self._latest = ticks
        self.believe(ticks, received)
        return ticks

    def reset(self) -> None:
        """Note that another connection begins, whose latency is another."""
        self._resuming = self._begun

    def _expected(self, received: float) -> float:
        if math.isnan(received) or math.isnan(self._mapping.offset):
            return self._latest
        return max(self._latest, (received - self._mapping.offset) * self.per_second)

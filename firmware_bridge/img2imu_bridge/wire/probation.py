"""Messages whose numbers do not follow from what came before: believed only if the next one follows them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from img2imu_bridge.wire.line import signed_ticks
from img2imu_bridge.wire.messages import Data
from img2imu_edge.source import LinkStats

DISBELIEVED: Final = (
    "Messages were left out whose times do not fit their sample numbers. Check the device's clock."
)


@dataclass(frozen=True, slots=True)
class Doubted:
    """A message on probation.

    Attributes:
        data: The message.
        count: Its samples.
        received: Seconds on the host's clock when it arrived, or NaN.
    """

    data: Data
    count: int
    received: float


class Probation:
    """Keeps the last doubtful message until the next one judges it (the idea of RFC 3550, appendix A.1)."""

    def __init__(self, stats: LinkStats) -> None:
        """Start empty, with the counters whose `corrupt` and `duplicates` are to be kept current."""
        self._stats = stats
        self._held: Doubted | None = None

    def doubt(self, data: Data, count: int, received: float) -> Doubted | None:
        """Take a message that does not fit.

        Args:
            data: The message.
            count: Its samples.
            received: Seconds on the host's clock when it arrived, or NaN.

        Returns:
            The doubtful message before this one if this one follows it, so that both are to be believed;
            else None, and this one is kept.
        """
        held = self._held
        if held is not None and (data.seq, data.ticks) == (held.data.seq, held.data.ticks):
            self._stats.duplicates += 1  # said twice is not confirmed
            return None
        if held is not None:
            next_seq = (held.data.seq + held.count) % (1 << 16)
            if data.seq == next_seq and signed_ticks(data.ticks, held.data.ticks) > 0:
                self._held = None
                return held
            self.dismiss()
        self._held = Doubted(data, count, received)
        return None

    def dismiss(self) -> None:
        """Count the message kept, if there is one, as corrupt: what came after it fits without it."""
        if self._held is None:
            return
        self._held = None
        self._stats.corrupt += 1
        if DISBELIEVED not in self._stats.warnings:
            self._stats.warnings.append(DISBELIEVED)

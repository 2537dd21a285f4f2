"""What came before: telling repeats from late packets, and odd ones from a device that began anew."""

from __future__ import annotations

from collections import deque
from typing import Final, NamedTuple

from img2imu_bridge.profiles import Packet
from img2imu_edge.source import LinkStats

_REMEMBERED: Final = 64

Key = tuple[int | None, int | None, int]


class Doubted(NamedTuple):
    """A packet whose numbers do not follow from what came before.

    Attributes:
        packet: The packet.
        received: The host's time when it arrived.
    """

    packet: Packet
    received: float


class Past:
    """Remembers the packets that were taken last, and the one that is not believed yet.

    A packet that does not fit is believed if the next one follows from it (the idea of RFC 3550, A.1).
    """

    def __init__(self, stats: LinkStats) -> None:
        """Start empty, with counters to keep current."""
        self._stats = stats
        self._taken: deque[Packet] = deque(maxlen=_REMEMBERED)
        self._doubted: Doubted | None = None

    def take(self, packet: Packet) -> None:
        """Remember a packet that was taken; one that was doubted before it is counted as corrupt."""
        self._taken.append(packet)
        self.dismiss()

    def repeats(self, packet: Packet) -> bool:
        """Whether a packet with these numbers, and these values if it has no number, was taken lately."""
        key = _key(packet)
        return any(_key(taken) == key for taken in self._taken)

    def drop(self, packet: Packet) -> None:
        """Count a packet that came too late: as a duplicate, or as reordered."""
        if self.repeats(packet):
            self._stats.duplicates += 1
        else:
            self._stats.reordered += 1

    def doubt(self, packet: Packet, received: float) -> Doubted | None:
        """Keep a packet that does not fit; return the one that was kept before, which is then forgotten."""
        before = self._doubted
        self._doubted = Doubted(packet, received)
        return before

    def forget(self) -> None:
        """Forget the numbers: those of a device that began anew may be the same."""
        self._taken.clear()
        self._doubted = None

    def dismiss(self) -> None:
        """Count a doubted packet, if there is one, as corrupt."""
        if self._doubted is not None:
            self._stats.corrupt += 1
            self._doubted = None


def _key(packet: Packet) -> Key:
    """What tells packets apart. A clock may be too coarse for it alone."""
    values = 0 if packet.sequence is not None else hash(packet.values.tobytes())
    return packet.sequence, packet.ticks, values

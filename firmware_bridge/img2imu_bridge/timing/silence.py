"""Silence: whether a device that was not heard for a while made samples that are lost, or only late."""

from __future__ import annotations

from typing import ClassVar, Final

from img2imu_bridge.profiles import Packet

SILENT_PACKETS: Final = 3
"""Packets' time that a device without numbers must have been silent for before a gap is inferred."""

_LEAST_SECONDS: Final = 0.1
_JITTERS: Final = 4
_HOLD_SECONDS: Final = 1.0
_HOLD_PACKETS: Final = 256
_DRAINING: Final = 0.2

Released = tuple[Packet, float, float]
"""A packet, when it arrived, and the seconds for which the device made samples that did not."""


class Silence:
    """Holds the packets after a suspicious silence until it is clear what it meant.

    If the link was slow, the packets that waited come all at once, and the last of them is no longer late. If
    samples were lost, all that follows is late by as much. A second tells; what comes meanwhile is held.

    Attributes:
        samples: How many are held.
    """

    LEARNED_SECONDS: ClassVar = 2.0
    """Seconds before which nothing is inferred."""

    def __init__(self) -> None:
        self._held: list[tuple[Packet, float]] = []
        self._likely = (0.0, 1.0)
        self._first = self._least = 0.0
        self.samples = 0

    @staticmethod
    def threshold(packet_seconds: float, lateness: float) -> float:
        """Seconds of silence, beyond a packet's own, that are suspicious where nothing is numbered."""
        return SILENT_PACKETS * packet_seconds + max(_LEAST_SECONDS, _JITTERS * lateness)

    @property
    def holding(self) -> bool:
        """Whether packets are held."""
        return bool(self._held)

    def suspects(self, lag: float, silent: float, likely: tuple[float, float]) -> bool:
        """Whether a packet ends a silence that may hold a gap.

        Args:
            lag: Seconds by which it is late if nothing is missing; NaN if unknown.
            silent: Seconds since the packet before.
            likely: Seconds of lag from which on a gap is likely, and the seconds it comes in multiples of.
        """
        self._likely = likely
        return lag > likely[0] and silent > likely[0]

    def hold(self, packet: Packet, received: float, lag: float) -> list[Released]:
        """Hold a packet, with its lag if nothing is missing; return what is clear now."""
        if not self._held:
            self._first = self._least = lag
        self._held.append((packet, received))
        self._least = min(self._least, lag)
        self.samples += len(packet.values)
        likely, unit = self._likely
        waited = received - self._held[0][1]
        if lag <= likely:
            return self.give_up()
        if waited < _HOLD_SECONDS and len(self._held) < _HOLD_PACKETS:
            return []
        if self._first - lag > _DRAINING * waited:  # what waited is still on its way
            return self.give_up()
        return self._release(round(self._least / unit) * unit)

    def give_up(self) -> list[Released]:
        """Return what is held, as if nothing was missing."""
        return self._release(0.0)

    def _release(self, gap: float) -> list[Released]:
        held, self._held, self.samples = self._held, [], 0
        return [(packet, received, 0.0 if i else gap) for i, (packet, received) in enumerate(held)]

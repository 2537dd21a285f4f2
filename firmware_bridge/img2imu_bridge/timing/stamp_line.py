"""StampLine: where a device's stamps lie on average, so that one odd stamp is no gap."""

from __future__ import annotations

from typing import Final

_MEMORY: Final = 16  # packets
_JITTERS: Final = 6


class StampLine:
    """Follows the stamps at the sampling period, the slower the more they jitter."""

    def __init__(self) -> None:
        """Begin with steady stamps, until they show otherwise."""
        self._ticks = self._deviation = 0.0

    @property
    def jitter(self) -> float:
        """Ticks by which a stamp may be off the line for no reason: six times the mean."""
        return _JITTERS * self._deviation

    def begin(self, ticks: int, jitter: float | None = None) -> None:
        """Let the line go through a stamp; with a first guess of the jitter before anything was seen."""
        self._ticks = float(ticks)
        if jitter is not None:
            self._deviation = jitter / _JITTERS

    def excess(self, ticks: int, elapsed: float) -> float:
        """Ticks by which a stamp is later than the line, if so many ticks passed since the last one."""
        return ticks - self._ticks - elapsed

    def follow(self, ticks: int, off: float, deviation: float, slack: float) -> None:
        """Move the line towards a stamp.

        Args:
            ticks: The stamp.
            off: By how much it is later than the line, gaps taken off.
            deviation: What to learn the jitter from.
            slack: By how much the line may be off since the last stamp, as the rate is not known exactly.
        """
        self._deviation += (abs(deviation) - self._deviation) / _MEMORY
        gain = min(max(slack / self._deviation, 1 / _MEMORY), 1.0) if self._deviation else 1.0
        self._ticks = ticks - (1 - gain) * off

"""RateMeter: the sampling rate over the last minutes."""

from __future__ import annotations

from typing import Final

_SHORTEST: Final = 2.0
_LONGEST: Final = 240.0


class RateMeter:
    """Samples over seconds, between now and two to four minutes ago once there were as many.

    Attributes:
        rate: Samples a second; the nominal one until two seconds were seen.
    """

    def __init__(self, nominal: float) -> None:
        """Begin with the nominal rate in Hz."""
        self.rate = nominal
        self.reset()

    def reset(self) -> None:
        """Forget the past, not the rate: time or the samples' numbers made a jump."""
        self._from: tuple[int, float] | None = None
        self._next: tuple[int, float] = (0, 0.0)

    def observe(self, index: int, seconds: float) -> None:
        """Take in the time of a sample, by its number without wrap."""
        if self._from is None:
            self._from = self._next = index, seconds
        passed = seconds - self._from[1]
        if passed >= _SHORTEST:
            self.rate = (index - self._from[0]) / passed
        if seconds - self._next[1] >= _LONGEST / 2:
            self._from, self._next = self._next, (index, seconds)

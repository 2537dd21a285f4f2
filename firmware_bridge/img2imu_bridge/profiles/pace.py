"""Pace: how fast a device samples that does not say so, from when its samples arrived."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

USUAL: Final = (
    *(
        1.0,
        2.0,
        5.0,
        10.0,
        12.5,
        20.0,
        25.0,
        26.0,
        30.0,
        32.0,
        40.0,
        50.0,
        52.0,
        60.0,
        62.5,
        64.0,
        75.0,
        80.0,
    ),
    *(
        100.0,
        104.0,
        119.0,
        125.0,
        128.0,
        200.0,
        208.0,
        250.0,
        256.0,
        400.0,
        416.0,
        500.0,
        800.0,
        833.0,
        1000.0,
    ),
)
"""Rates in Hz that motion sensors and sketches have."""

_SAME: Final = 0.02


class Pace:
    """Counts samples and the seconds in which they came.

    What came with the first chunk is not counted, since nobody knows how long it had waited.

    Attributes:
        samples: How many came after the first chunk.
        seconds: Between the first chunk and the last.
    """

    def __init__(self) -> None:
        self.samples = 0
        self.seconds = 0.0
        self._first: float | None = None

    def observe(self, samples: int, received: float) -> None:
        """Take in a chunk with so many samples, at least one, that arrived at `received` seconds."""
        if self._first is None:
            self._first = received
            return
        self.samples += samples
        self.seconds = received - self._first

    @property
    def rate(self) -> float:
        """Samples a second; 0 until two chunks came."""
        return self.samples / self.seconds if self.seconds > 0 else 0.0


def nominal(rate: float, known: Iterable[float] = USUAL, tolerance: float = _SAME) -> float:
    """The rate that a measured one is likely to be meant for, in Hz.

    Args:
        rate: As measured.
        known: The rates that are likely.
        tolerance: How far one of them may be off, as a share; beyond, the measured rate is kept, rounded.
    """
    nearest = min(known, key=lambda other: abs(other - rate))
    if abs(nearest - rate) <= tolerance * rate:
        return nearest
    return float(f"{rate:.2g}") if rate >= 1 else rate

"""Unwrapping: from 16 bits of sample number and 32 bits of clock to whole ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_SEQ_TURN: Final = 1 << 16
_TICK_TURN: Final = 1 << 32

TOLERANCE: Final = 0.1
"""How far a device's sampling rate may be off its nominal one."""

SETTLED_TOLERANCE: Final = 0.01
"""How far it may be off what it was seen to be."""

_MAX_LATE: Final = 512
"""Samples that a message may be late. Beyond, a device that samples from power-up on would, after a restart,
pass for one that repeats its past."""

_JITTER_SECONDS: Final = 0.1
_JITTER_SAMPLES: Final = 2


def signed_ticks(ticks: int, reference: int) -> int:
    """Return how far `ticks`, known modulo 2³², lies after `reference`; negative if before."""
    return (ticks - reference + _TICK_TURN // 2) % _TICK_TURN - _TICK_TURN // 2


@dataclass(slots=True)
class Line:
    """A point through which the device's clock and sample counter went, and how they go on from there.

    The clock tells roughly how many samples were taken since, the sequence number tells it exactly but for a
    multiple of 2¹⁶; together they count any gap that is shorter than 2³¹ ticks.

    Attributes:
        index: Number of a sample, not wrapped.
        ticks: The clock at that sample, not wrapped.
        slack: Ticks by which a message's time stamp may be off for reasons of its own.
    """

    index: int
    ticks: int
    slack: float

    @classmethod
    def through(cls, index: int, ticks: int, ticks_per_second: int, period: float) -> Line:
        """Make a line through a point, for a clock in Hz and a sampling period in ticks."""
        return cls(index, ticks, max(_JITTER_SECONDS * ticks_per_second, _JITTER_SAMPLES * period))

    def locate(
        self, seq: int, ticks: int, period: float, tolerance: float = TOLERANCE
    ) -> tuple[int, int] | None:
        """Unwrap a message's numbers.

        Args:
            seq: Number of its first sample, modulo 2¹⁶.
            ticks: The clock at that sample, modulo 2³².
            period: Ticks between samples.
            tolerance: How far the true period may be off this one, as a fraction.

        Returns:
            Both without wrapping; or None if no number of samples explains the time that passed, or if that
            was long ago.
        """
        elapsed = (ticks - self.ticks + 0x80000000 & 0xFFFFFFFF) - 0x80000000
        samples = seq - self.index & 0xFFFF
        samples += _SEQ_TURN * round((elapsed / period - samples) / _SEQ_TURN)
        # A later sample has a later time, and only the same sample has the same.
        if samples < -_MAX_LATE or not (samples * elapsed > 0 or samples == elapsed == 0):
            return None
        if abs(elapsed - samples * period) > tolerance * abs(samples) * period + self.slack:
            return None
        return self.index + samples, self.ticks + elapsed

    def locate_first(self, seq: int, ticks: int, period: float, streaming: bool) -> tuple[int, int]:
        """Unwrap the first message after an INFO, through whose numbers this line goes.

        Args:
            seq: Number of its first sample, modulo 2¹⁶.
            ticks: The clock at that sample, modulo 2³².
            period: Ticks between samples.
            streaming: Whether the device was taking samples when it sent the INFO. If not, time passed
                without samples, and the message came later than the INFO for certain.

        Returns:
            Both without wrapping.
        """
        located = self.locate(seq, ticks, period) if streaming else None
        if located is not None:
            return located
        samples = (seq - self.index + _SEQ_TURN // 2) % _SEQ_TURN - _SEQ_TURN // 2
        elapsed = signed_ticks(ticks, self.ticks) if streaming else (ticks - self.ticks) % _TICK_TURN
        return self.index + samples, self.ticks + elapsed

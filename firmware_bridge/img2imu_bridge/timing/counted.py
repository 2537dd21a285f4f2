"""CountedTimer: a stream without time stamps, timed by the host through the number of each sample."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from img2imu_bridge.clocks import ArrivalLine
from img2imu_bridge.profiles import Packet, Stream
from img2imu_bridge.timing import AHEAD_SECONDS, BEHIND_SECONDS, RESTARTED, Run, warn
from img2imu_bridge.timing.order import Past
from img2imu_bridge.timing.silence import Silence
from img2imu_edge.source import LinkStats

_START_SECONDS: Final = 10.0
_START_SLEW: Final = 0.1
_SLEW: Final = 0.005
_GAP_SLEW: Final = 0.2
_CATCH_UP_SECONDS: Final = 2.0

_CONFIRMING: Final = 3
_CONFIRMING_SECONDS: Final = 1.0
_WRAPPED_AHEAD_SECONDS: Final = 0.5


class CountedTimer:
    """Gives the n-th sample the time at which the host would have got it without delay.

    Time runs at the true sampling rate, which `ArrivalLine` learns, and is never set: it goes faster or
    slower by at most 0.5 % (10 % in the first ten seconds) until it is right. At a gap it may move by a fifth
    of that.

    What is missing is told by the sequence numbers; without any, or where they may have turned over
    meanwhile, it is inferred from how long the device was silent; see `Silence`.
    """

    def __init__(self, stream: Stream, stats: LinkStats) -> None:
        """Begin before the first packet, with counters to keep current; not those of samples."""
        self._stream, self._stats = stream, stats
        self._turn = 1 << stream.sequence_bits if stream.sequence_bits else 0
        self._line = ArrivalLine(1 / stream.rate)
        self._silence = Silence()
        self._past = Past(stats)
        self._next = 0  # number of the next sample
        self._sequence = 0  # expected next
        self._count = 1  # samples of the last packet
        self._end = math.nan  # time of the last sample
        self._received = math.nan
        self._begun = self._resuming = self._settled = False
        self._odd: list[int] = []  # sequence numbers, in a row, that do not fit

    @property
    def rate(self) -> float:
        """The true sampling rate in Hz, by the host's clock."""
        return 1 / self._line.period

    def push(self, packet: Packet, received: float) -> list[Run]:
        """Take the next packet to arrive."""
        if self._turn and packet.sequence is None:
            self._stats.corrupt += 1
            return []
        if not self._begun:
            return self._accept(packet, received, 0)
        if self._resuming:
            return self._resume(packet, received)
        lag = self._lag(packet, received)
        if self._silence.holding or self._silence.suspects(lag, received - self._received, self._doubtful):
            return self._release(self._silence.hold(packet, received, lag))
        return self._take(packet, received, 0)

    def reset(self) -> list[Run]:
        """Note that another connection begins."""
        runs = self.flush()
        self._resuming = self._begun
        return runs

    def flush(self) -> list[Run]:
        """Return what was held back, as if it had only been late."""
        return self._release(self._silence.give_up())

    @property
    def _each(self) -> int:
        """Samples by which the sequence number counts."""
        return 1 if self._stream.sequence_counts == "samples" else self._count

    def _numbers(self, packet: Packet) -> int:
        """Sequence numbers that a packet takes up."""
        return len(packet.values) if self._stream.sequence_counts == "samples" else 1

    @property
    def _doubtful(self) -> tuple[float, float]:
        """Seconds of lag from which on a gap is likely, and the seconds that it comes in multiples of."""
        period = self._line.period
        if self._turn:
            turn = self._turn * self._each * period
            return turn / 2, turn
        return Silence.threshold(self._count * period, self._line.lateness), period

    def _ahead(self, packet: Packet) -> int:
        """How far its number is ahead of the expected one, modulo a turn; 0 without numbers."""
        return ((packet.sequence or 0) - self._sequence) % self._turn if self._turn else 0

    def _lag(self, packet: Packet, received: float) -> float:
        """How late the packet is if as little is missing as can be; NaN if the line is too young to tell."""
        if self._line.seconds < Silence.LEARNED_SECONDS:
            return math.nan
        missing = self._ahead(packet) * self._each if self._turn else self._silence.samples
        return received - self._line.at(self._next + missing + len(packet.values) - 1)

    def _release(self, released: list[tuple[Packet, float, float]]) -> list[Run]:
        return [run for packet, received, gap in released for run in self._take(packet, received, gap)]

    def _take(self, packet: Packet, received: float, gap: float) -> list[Run]:
        """Place a packet before which the device was silent for a gap of so many seconds, or for none."""
        ahead, count = self._ahead(packet), len(packet.values)
        inferred = round(gap / self._line.period)
        lost = ahead * self._each + inferred
        wrapped = ahead >= self._turn / 2 and self._turn > 0
        overlap = self._turn - ahead if wrapped and self._stream.sequence_counts == "samples" else count
        if overlap < count:
            return self._accept(packet, received, 0, skip=overlap)
        if self._turn and not self._plausible(lost + count, received, wrapped):
            return self._doubt(packet, received)
        return self._accept(packet, received, lost)

    def _plausible(self, samples: int, received: float, wrapped: bool) -> bool:
        """Whether the device can have made so many samples by now."""
        if math.isnan(received) or not self._line.begun:
            return not wrapped
        allowed = AHEAD_SECONDS if self._settled else BEHIND_SECONDS
        if wrapped:
            allowed = _WRAPPED_AHEAD_SECONDS
            if received - self._received < samples * self._line.period / 2:
                return False
        return self._line.at(self._next + samples - 1) <= received + allowed

    def _accept(
        self, packet: Packet, received: float, lost: int, *, skip: int = 0, broken: bool = False
    ) -> list[Run]:
        count = len(packet.values) - skip
        first = self._next + lost
        self._next = first + count
        if not math.isnan(received):
            self._line.observe(self._next - 1, received)
        start, step = self._place(first, count, lost)
        times = [start + step * k for k in range(count)]
        self._begun = True
        self._end, self._received, self._count = times[-1], received, len(packet.values)
        self._sequence = (packet.sequence or 0) + self._numbers(packet)
        self._odd.clear()
        self._past.take(packet)
        return [Run(np.array(times), packet.values[skip:], lost, broken, received)]

    def _place(self, first: int, count: int, lost: int) -> tuple[float, float]:
        """Time of the first sample of a packet, and seconds between its samples."""
        period, line = self._line.period, self._line
        if not self._begun:
            return (line.at(first) if line.begun else 0.0), period
        off = line.at(first) - (self._end + (lost + 1) * period) if line.begun else 0.0
        if lost:
            most = _GAP_SLEW * (lost + 1) * period
            return self._end + (lost + 1) * period + min(max(off, -most), most), period
        self._settled = self._settled or line.seconds > _START_SECONDS
        most = _SLEW if self._settled else _START_SLEW
        step = period * (1 + min(max(off / _CATCH_UP_SECONDS, -most), most))
        return self._end + step, step

    def _resume(self, packet: Packet, received: float) -> list[Run]:
        """Place the first packet of another connection."""
        period, count = self._line.period, len(packet.values)
        passed = received - self._line.at(self._next - 1)  # NaN if nobody looked
        gap = 0 if math.isnan(passed) else max(round(passed / period) - count, 0)
        if self._turn:
            turn = self._turn * self._each
            lost = self._ahead(packet) * self._each
            lost += turn * round((gap - lost) / turn)
            if lost < 0 and self._past.repeats(packet):
                self._past.drop(packet)
                return []
            allowed = min(AHEAD_SECONDS, turn * period / 8)
            if lost >= 0 and abs(lost - gap) * period <= allowed:
                gap = lost
        self._resuming = False
        self._past.forget()
        return self._jump(packet, received, gap)

    def _jump(self, packet: Packet, received: float, gap: int) -> list[Run]:
        self._line.reset()
        return self._accept(packet, received, gap, broken=True)

    def _doubt(self, packet: Packet, received: float) -> list[Run]:
        """Leave out a packet whose number does not fit, unless that goes on: then the device began anew."""
        sequence = packet.sequence or 0
        follows = self._odd and (self._odd[-1] + self._numbers(packet) - sequence) % self._turn == 0
        self._odd = [*self._odd[-_CONFIRMING:], sequence] if follows else [sequence]
        if len(self._odd) < _CONFIRMING or not received - self._received > _CONFIRMING_SECONDS:
            self._past.drop(packet)
            return []
        warn(self._stats, RESTARTED)
        self._past.forget()
        passed = received - self._line.at(self._next - 1)
        return self._jump(packet, received, max(round(passed / self._line.period) - len(packet.values), 0))

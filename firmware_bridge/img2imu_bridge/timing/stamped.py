"""StampedTimer: a stream whose packets say when they were sampled, with or without sequence numbers."""

from __future__ import annotations

from collections import deque
from statistics import median
from typing import Final

import numpy as np

from img2imu_bridge.profiles import Packet, Stream
from img2imu_bridge.timing import LATE_SECONDS, RESTARTED, Run, unwrap, warn
from img2imu_bridge.timing.order import Past
from img2imu_bridge.timing.rate import RateMeter
from img2imu_bridge.timing.stamp_line import StampLine
from img2imu_bridge.timing.ticks import DeviceTicks
from img2imu_bridge.wire.clock import SampleClock
from img2imu_bridge.wire.line import TOLERANCE
from img2imu_edge.source import LinkStats

_PACKETS: Final = 16
_AGREEING: Final = 0.05
_CONFIRMED_SECONDS: Final = 10.0
_SPARE_PACKETS: Final = 4
_SPARE_SECONDS: Final = 0.5


class StampedTimer:
    """Samples between two stamps are spread evenly; what is missing shows in the stamps, and in the numbers.

    A gap without numbers is a stamp that is later than the samples since then explain: by half a period, or
    half a packet if stamps jitter as much, and by what the rate may be off (10 % at first, 1 % later).
    """

    def __init__(self, stream: Stream, ticks: DeviceTicks, stats: LinkStats) -> None:
        """Begin before the first packet.

        Args:
            stream: The stream's description.
            ticks: The device's clock, shared by all its streams.
            stats: Counters to keep current; not those of samples.
        """
        self._stream, self._ticks, self._stats = stream, ticks, stats
        self._clock = SampleClock(ticks.per_second, ticks.per_second / stream.rate)
        self._past = Past(stats)
        self._meter = RateMeter(stream.rate)
        self._begun = self._resuming = False
        self._base = 0  # ticks, taken off to keep floats exact
        self._at = 0  # stamp of the last packet
        self._index = 0  # number of the sample that it belongs to
        self._count = 0  # samples of the last packet
        self._sequence = 0
        self._even = True  # whether all packets had as many samples
        self._end = -np.inf  # ticks of the last sample, less the base
        self._line = StampLine()
        self._periods: deque[float] = deque(maxlen=_PACKETS)

    @property
    def _exact(self) -> bool:
        """Whether numbers count samples."""
        return bool(self._stream.sequence_bits) and self._stream.sequence_counts == "samples"

    @property
    def rate(self) -> float:
        """The true sampling rate in Hz, by the device's clock."""
        return self._meter.rate

    def push(self, packet: Packet, received: float) -> list[Run]:
        """Take the next packet to arrive."""
        if packet.ticks is None or (self._stream.sequence_bits and packet.sequence is None):
            self._stats.corrupt += 1
            return []
        ticks, fits = self._ticks.read(packet.ticks, received)
        if not self._begun:
            return self._begin(packet, ticks, received) if fits else self._doubt(packet, received)
        if ticks <= self._at and self._past.repeats(packet):
            self._stats.duplicates += 1
            return []
        if self._resuming:
            self._resuming = False
            if not fits or ticks <= self._at:
                return self._begin_anew(packet, received)
        if not fits or ticks < self._at - LATE_SECONDS * self._ticks.per_second:
            return self._doubt(packet, received)
        steps = self._numbers_since(packet, ticks)
        # Numbers tell the order better than stamps that were taken in a hurry.
        if ticks < self._at if steps is None else steps < 1:
            self._past.drop(packet)
            return []
        return self._follow(packet, ticks, received, steps)

    def reset(self) -> list[Run]:
        """Note that another connection begins."""
        self._past.dismiss()
        self._resuming = self._begun
        return []

    def flush(self) -> list[Run]:
        """Nothing is held back."""
        self._past.dismiss()
        return []

    def _begin(self, packet: Packet, ticks: int, received: float) -> list[Run]:
        """Place the first packet of all."""
        self._base = ticks
        self._line.begin(ticks, len(packet.values) * self._clock.period / 2)
        return self._accept(packet, ticks, received, 0, 0, False)

    def _numbers_since(self, packet: Packet, ticks: int) -> int | None:
        """How far the number went on, by no more than there was time for; None where it began anew."""
        if packet.sequence is None or not self._stream.sequence_bits:
            return None
        samples = (ticks - self._at) / self._clock.period
        each = 1 if self._exact else max(self._count, 1)
        turn = 1 << self._stream.sequence_bits
        steps = unwrap(packet.sequence, self._stream.sequence_bits, self._sequence + samples / each)
        steps -= self._sequence
        most = samples * (1 + self._clock.tolerance) + _SPARE_PACKETS * self._count
        most += _SPARE_SECONDS * self._stream.rate
        if steps * each > most and steps > turn:
            steps -= turn
        began_anew = steps * each > most or (steps < 1 and samples > _SPARE_SECONDS * self._stream.rate)
        return None if began_anew else steps

    def _follow(self, packet: Packet, ticks: int, received: float, steps: int | None) -> list[Run]:
        """Place a packet that comes after the last one, with or without a number that tells how far."""
        period, count = self._clock.period, len(packet.values)
        between = self._count if self._stream.stamps == "first" else count
        packet_ticks = count * period
        excess = self._line.excess(ticks, between * period)
        slack = self._clock.tolerance * between * period
        if steps is not None:  # where numbers follow each other, hardly ever something is missing
            longest = 4 * packet_ticks
            least = max(self._line.jitter, longest)
        else:  # samples get lost by the packet
            longest = packet_ticks
            least = min(max(self._line.jitter, period), longest)
        unnumbered = round(excess / period) if excess > least / 2 + slack else 0
        numbered, skip = self._missing(steps, excess)
        if skip >= count:
            self._past.drop(packet)
            return []
        lost = numbered if numbered or (self._exact and steps is not None) else unnumbered
        off = excess - lost * period
        explained = (
            abs(off) <= max(least, self._line.jitter) / 2 + slack + self._clock.tolerance * lost * period
        )
        if explained:
            sure = numbered if steps is not None or lost < count else lost
            deviation = min(abs(excess - sure * period), longest)
            self._line.follow(ticks, off, deviation, slack)
        else:
            self._line.begin(ticks)
        self._periods.append((ticks - self._at) / (between + numbered))
        self._even = self._even and count == self._count
        return self._accept(packet, ticks, received, lost, skip, not explained and not skip)

    def _missing(self, steps: int | None, excess: float) -> tuple[int, int]:
        """Samples missing by the numbers, and samples that came before."""
        if steps is None:
            return 0, 0
        if self._exact:
            lost = steps - self._count
            return max(lost, 0), max(-lost, 0)
        if steps == 1:
            return 0, 0
        return (steps - 1) * self._count if self._even else max(round(excess / self._clock.period), 1), 0

    def _accept(
        self, packet: Packet, ticks: int, received: float, lost: int, skip: int, broken: bool
    ) -> list[Run]:
        count = len(packet.values)
        if self._begun:
            between = self._count if self._stream.stamps == "first" else count
            self._index += between + lost - skip
        if broken:
            self._meter.reset()
        self._correct_nominal()
        places = self._place(ticks - self._base, count, skip, received, bool(lost) or broken)
        self._begun = True
        self._at, self._count = ticks, count
        self._sequence = packet.sequence or 0
        self._end = places[-1]
        self._meter.observe(self._index, (ticks - self._base) / self._ticks.per_second)
        self._ticks.believe(ticks, received)
        self._past.take(packet)
        base, per_second = self._base / self._ticks.per_second, self._ticks.per_second
        times = np.array([base + place / per_second for place in places])
        return [Run(times, packet.values[skip:], lost, broken, received)]

    def _place(self, ticks: int, count: int, skip: int, received: float, gap: bool) -> list[float]:
        """Ticks of the samples, less the base."""
        if self._stream.stamps == "first":
            start, step = self._clock.place(self._index, ticks, count, skip, received)
            return [start + step * k for k in range(count - skip)]
        end, _ = self._clock.place(self._index, ticks, 1, 0, received)
        wanted = count - skip
        step = (end - self._end) / wanted  # infinite before the first packet
        if gap or not self._begun:
            step = min(step, self._clock.period)
        return [end - step * k for k in range(wanted - 1, -1, -1)]

    def _correct_nominal(self) -> None:
        """Take what the stamps agree on for the rate, if it is not what the profile says."""
        if len(self._periods) < _PACKETS:
            return
        usual = median(self._periods)
        if usual <= 0 or abs(usual / self._clock.period - 1) <= TOLERANCE:
            return
        if sum(abs(period / usual - 1) <= _AGREEING for period in self._periods) > _PACKETS // 2:
            self._clock.retune(self._ticks.per_second, usual)
            self._meter.reset()
            self._periods.clear()

    def _doubt(self, packet: Packet, received: float) -> list[Run]:
        if self._past.repeats(packet):
            self._stats.duplicates += 1
            return []
        before = self._past.doubt(packet, received)
        if before is None:
            return []
        passed = unwrap((packet.ticks or 0) - (before.packet.ticks or 0), self._stream.tick_bits, 0)
        if not 0 < passed <= _CONFIRMED_SECONDS * self._ticks.per_second:
            self._stats.corrupt += passed != 0
            self._stats.duplicates += passed == 0
            return []
        warn(self._stats, RESTARTED)
        return self._begin_anew(*before) + self.push(packet, received)

    def _begin_anew(self, packet: Packet, received: float) -> list[Run]:
        """Go on with a device whose clock began anew, by the time that the host saw pass."""
        self._past.forget()
        count = len(packet.values)
        after = self._at + round(
            self._clock.period * (self._count if self._stream.stamps == "first" else count)
        )
        raw = packet.ticks or 0
        ticks, fits = self._ticks.read(raw, received)
        if not self._begun:
            if not fits:
                ticks = self._ticks.begin_anew(raw, received, 0)
            return self._begin(packet, ticks, received)
        if not fits or ticks <= self._at:  # unless another stream of the device has set the clock already
            ticks = self._ticks.begin_anew(raw, received, after)
        self._meter.reset()
        self._line.begin(ticks)
        between = self._count if self._stream.stamps == "first" else count
        lost = max(round((ticks - self._at) / self._clock.period) - between, 0)
        return self._accept(packet, ticks, received, lost, 0, True)

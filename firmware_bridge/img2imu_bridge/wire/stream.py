"""StreamDecoder: from DATA messages to timed samples in SI units, every sample once or counted as lost."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

from img2imu_bridge.wire.blocks import BlockBuilder
from img2imu_bridge.wire.clock import SampleClock
from img2imu_bridge.wire.line import Line, signed_ticks
from img2imu_bridge.wire.messages import Data, Info
from img2imu_bridge.wire.probation import Doubted, Probation
from img2imu_bridge.wire.reorder import Located, Released, Reorderer
from img2imu_edge.errors import SourceError
from img2imu_edge.samples import SampleBlock
from img2imu_edge.source import LinkStats

_BACKLOG_SECONDS: Final = 60.0
"""Device time that may arrive at one moment, after the host was busy with other things."""

_PAUSED = "The device's clock leapt ahead of its samples; taken as a pause. It should send INFO after one."
_RESTARTED = "The device's clock and sample numbers began anew without an INFO; taken as a restart."


class StreamDecoder:
    """Turns the DATA messages of one device into sample blocks.

    Loss is exact: sample numbers count every sample, and number and clock together bridge any gap shorter
    than 2³¹ ticks (36 minutes at 1 MHz), or any gap at all once `resync` has told where the device is.

    A message whose time and number do not fit together is not believed at once. If the next message follows
    from it, the device's line did move, and both count: as a pause if the clock went forward by a time in
    which the missing samples fit and which the host saw pass as well, otherwise as a restart without notice,
    whose samples continue in time. If not, it counts as corrupt. (The same idea as the probation of RFC 3550,
    appendix A.1.)

    The result does not depend on how messages are spread over calls, except for where blocks end.

    Attributes:
        stats: The counters. `duplicates` counts messages that repeat samples, or come after these were given
            up as lost; `corrupt` counts messages that are no whole number of samples or not believed.
        breaks: Pauses and restarts that no INFO announced.
    """

    def __init__(self, info: Info, stats: LinkStats | None = None, reorder_depth: int = 4) -> None:
        """Begin with what the device said about itself.

        Args:
            info: The device's INFO. Samples from its `next_index` on that never come count as lost.
            stats: Counters to keep current; new ones by default.
            reorder_depth: Most messages held back while one is missing. Serial links and BLE keep the order,
                so that 0 shows a gap at once there.
        """
        self.stats = LinkStats() if stats is None else stats
        self.breaks = 0
        self._clock = SampleClock(info.ticks_per_second, info.period)
        self._order = Reorderer(reorder_depth, self.stats)
        self._probation = Probation(self.stats)
        self._received = math.nan
        self._begin(info, new_boot=True)

    def push(self, data: Data, received: float = math.nan) -> list[SampleBlock]:
        """Take the next message; see `push_many`."""
        return self.push_many((data,), received)

    def push_many(self, messages: Iterable[Data], received: float = math.nan) -> list[SampleBlock]:
        """Take the next messages in the order in which they arrived.

        Args:
            messages: DATA messages; many at once cost far less than one by one.
            received: `time.monotonic()` when the last byte arrived, or NaN if nobody looked.

        Returns:
            The blocks that are complete, none with a gap inside; often one, none while a message is missing.
        """
        size = self._info.sample_size
        for data in messages:
            self.stats.messages += 1
            count, rest = divmod(len(data.payload), size)
            if rest or not count:
                self.stats.corrupt += 1
            elif self._first:
                self._accept_first(data, count, received)
            else:
                located = self._line.locate(data.seq, data.ticks, self._clock.period, self._clock.tolerance)
                if located is None:
                    self._doubt(data, count, received)
                else:
                    self._probation.dismiss()
                    self._accept(located, data, count, received)
        return self._blocks.build(received)

    def flush(self) -> list[SampleBlock]:
        """Return what is held back, giving up on messages that are missing."""
        self._probation.dismiss()
        self._release(self._order.flush())
        return self._blocks.build(self._received)

    def resync(self, info: Info) -> list[SampleBlock]:
        """Go on after an INFO: after a reconnect, a change of rate, or just because the device sent one.

        If the device was not restarted, the gap is counted exactly by the numbers that do not wrap. If it
        was, its samples are counted anew from the INFO's `next_index`, and their times continue after the
        last sample by the time the host saw pass, or by one period if it did not look.

        Args:
            info: What the device says now.

        Returns:
            What was held back until now.

        Raises:
            SourceError: If this is a device with other channels; that takes a new decoder.
        """
        if info.channels != self._info.channels:
            raise SourceError(
                f"{info.name!r} delivers {', '.join(info.channels)}, but this stream has "
                f"{', '.join(self._info.channels)}; open a new connection"
            )
        blocks = self.flush()
        same_clock = info.ticks_per_second == self._info.ticks_per_second
        goes_on = info.boot_id == self._info.boot_id and same_clock
        if not self._first:
            # A batch may still be under way when the INFO is sent, so a little back is no restart.
            goes_on = goes_on and info.ticks > self._line.ticks and info.next_index >= self._line.index
        if not goes_on:
            self._clock.restart()
        self._begin(info, new_boot=not goes_on)
        return blocks

    def finish(self, info: Info) -> list[SampleBlock]:
        """End the stream after an INFO that says so; samples that were taken but never came count as lost.

        Args:
            info: What the device says now, its `streaming` false.

        Returns:
            What was held back until now.
        """
        blocks = self.flush()
        self.stats.samples_lost += max(0, info.next_index - self._order.expected)
        self._order.expected = max(info.next_index, self._order.expected)
        return blocks

    def _begin(self, info: Info, new_boot: bool) -> None:
        if new_boot:
            self._order.expected = info.next_index
            self._nothing_yet = True
        self._info = info
        self._clock.retune(info.ticks_per_second, info.period)
        self._blocks = BlockBuilder(info)
        self._line = Line.through(info.next_index, info.ticks, info.ticks_per_second, info.period)
        self._first = True
        self._broken = False

    def _accept_first(self, data: Data, count: int, received: float) -> None:
        located = self._line.locate_first(data.seq, data.ticks, self._info.period, self._info.streaming)
        if self._nothing_yet:
            # A batch that was begun before the INFO starts before its `next_index`.
            self._order.expected = min(self._order.expected, located[0])
            self._nothing_yet = False
        self._first = False
        self._accept(located, data, count, received)

    def _accept(self, located: tuple[int, int], data: Data, count: int, received: float) -> None:
        first, ticks = located
        self._line.index = first
        self._line.ticks = ticks
        self._received = received
        self._release(self._order.push(Located(first, count, ticks, data.payload, received)))

    def _release(self, released: list[Released]) -> None:
        for (first, count, ticks, payload, received), skip, lost in released:
            start, step = self._clock.place(first, ticks, count, skip, received)
            if skip:
                payload = payload[skip * self._info.sample_size :]
            self._blocks.add(payload, start, step, lost, self._broken)
            self._broken = False
            self.stats.samples_received += count - skip
            self.stats.samples_lost += lost

    def _doubt(self, data: Data, count: int, received: float) -> None:
        confirmed = self._probation.doubt(data, count, received)
        if confirmed is None:
            return
        self._move_line(confirmed)
        at = self._line.index, self._line.ticks
        self._accept(at, confirmed.data, confirmed.count, confirmed.received)
        elapsed = signed_ticks(data.ticks, confirmed.data.ticks)
        self._accept((at[0] + confirmed.count, at[1] + elapsed), data, count, received)

    def _move_line(self, doubted: Doubted) -> None:
        """Let the line go on through a message that was doubted and then confirmed."""
        self._release(self._order.flush())
        self.breaks += 1
        elapsed = signed_ticks(doubted.data.ticks, self._line.ticks)
        lost = (doubted.data.seq - self._order.expected) % (1 << 16)
        fits = elapsed > 0 and lost * self._clock.period <= 2 * elapsed
        watched = doubted.received - self._received
        unseen = elapsed > (2 * watched + _BACKLOG_SECONDS) * self._info.ticks_per_second
        if fits and not unseen:  # NaN, when nobody looked, is not unseen
            self._line.index = self._order.expected + lost
            self._line.ticks += elapsed
            self._warn(_PAUSED)
        else:
            self._clock.restart()
            self._order.expected = self._line.index = doubted.data.seq
            self._line.ticks = doubted.data.ticks
            self._warn(_RESTARTED)
        self._broken = True

    def _warn(self, text: str) -> None:
        if text not in self.stats.warnings:
            self.stats.warnings.append(text)

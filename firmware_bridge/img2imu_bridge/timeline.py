"""Timeline: from a device's packets to timed samples, every sample once or counted as lost.

What a device says of order and time decides what can be known:

| packets have | times | what is missing |
|---|---|---|
| time stamps | the device's, spread evenly between stamps | from the stamps, against the learned period |
| time stamps and numbers | the same | from the numbers; also from stamps if these count packets |
| sequence numbers | the number over the true rate, by the host's clock | exact |
| neither | the count over the true rate, by the host's clock | inferred from silence: an estimate |

Without numbers and stamps nothing said of loss is exact: a few packets that get lost one by one pass for a
lower sampling rate, and a device that stops sampling for a while passes for one whose samples were lost.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from img2imu_bridge.profiles import Packet, Stream
from img2imu_bridge.timing import Run, StreamTimer
from img2imu_bridge.timing.counted import CountedTimer
from img2imu_bridge.timing.merge import Merger
from img2imu_bridge.timing.stamped import StampedTimer
from img2imu_bridge.timing.ticks import DeviceTicks
from img2imu_edge.samples import SampleBlock
from img2imu_edge.source import LinkStats


class Timeline:
    """Turns the packets of one device into sample blocks with strictly increasing times.

    No block has a gap inside. Repeated packets go, and so do those that come after later ones: BLE and serial
    links keep the order. What comes out does not depend on how packets are spread over calls, except for
    where blocks end. Values stay as they are.

    Several streams become one: the first stream's samples, with the others interpolated onto their times. See
    `Merger` for what happens when one of them dies.

    Attributes:
        channels: The first stream's, then the others'.
        stats: The counters, kept current: `messages` counts packets, `samples_received` and `samples_lost`
            the first stream's samples, `duplicates` and `reordered` packets that were dropped, `corrupt`
            packets that do not fit the stream's description.
    """

    def __init__(self, streams: Sequence[Stream], stats: LinkStats) -> None:
        """Begin before the first packet.

        Args:
            streams: What will come; the first one sets the pace.
            stats: Counters to keep current.

        Raises:
            ValueError: If there is no stream, or two have a channel in common.
        """
        self.channels = tuple(name for stream in streams for name in stream.channels)
        if not streams or len(set(self.channels)) < len(self.channels):
            raise ValueError("a timeline needs a stream, and each channel only once")
        self.stats = stats
        self._first = streams[0]
        self._streams = {stream.name: stream for stream in streams}
        clocks: dict[tuple[int, float], DeviceTicks] = {}
        self._timers: dict[str, StreamTimer] = {}
        for stream in streams:
            if stream.tick_bits:
                unit = stream.tick_bits, stream.ticks_per_second
                ticks = clocks.setdefault(unit, DeviceTicks(*unit))
                self._timers[stream.name] = StampedTimer(stream, ticks, stats)
            else:
                self._timers[stream.name] = CountedTimer(stream, stats)
        self._clocks = list(clocks.values())
        self._merger = Merger(streams, stats) if len(streams) > 1 else None

    @property
    def rate(self) -> float:
        """The first stream's true sampling rate in Hz; the nominal one until some seconds were seen.

        By the device's clock where it stamps its packets, else by the host's.
        """
        return self._timers[self._first.name].rate

    @property
    def deviation_ppm(self) -> float:
        """How far that is off the nominal rate, in parts per million."""
        return (self.rate / self._first.rate - 1) * 1e6

    @property
    def accounting(self) -> str:
        """How what is missing is known, for people."""
        if self._first.sequence_bits:
            return "exact, by sequence numbers"
        return "by time stamps" if self._first.tick_bits else "estimated from silence"

    def push(self, packets: Sequence[Packet], received: float = math.nan) -> list[SampleBlock]:
        """Take packets in the order in which they arrived.

        Args:
            packets: Decoded packets of any of the streams.
            received: `time.monotonic()` when they arrived. Streams without time stamps need it: NaN makes
                their time go at the nominal rate, and nothing is inferred from silence.

        Returns:
            The blocks that are complete; often one.
        """
        runs: list[Run] = []
        for packet in packets:
            self.stats.messages += 1
            stream = self._streams.get(packet.stream)
            if stream is None or not len(packet.values) or packet.values.shape[1:] != (len(stream.channels),):
                self.stats.corrupt += 1
                continue
            timer = self._timers[stream.name]
            runs += self._merge(stream.name, timer.push(packet, received))
        return self._blocks(runs)

    def reset(self) -> list[SampleBlock]:
        """Note that the connection was made anew.

        What is missing meanwhile is counted by the device's clock or numbers if they went on, by the host's
        clock otherwise. A device that did not sample while nobody listened has a gap all the same.

        Returns:
            What was held back.
        """
        runs = [run for name, timer in self._timers.items() for run in self._merge(name, timer.reset())]
        for clock in self._clocks:
            clock.reset()
        return self._blocks(runs + (self._merger.flush() if self._merger else []))

    def flush(self) -> list[SampleBlock]:
        """Return what is held back, at the end of the stream."""
        runs = [run for name, timer in self._timers.items() for run in self._merge(name, timer.flush())]
        return self._blocks(runs + (self._merger.flush() if self._merger else []))

    def _merge(self, name: str, runs: list[Run]) -> list[Run]:
        if name == self._first.name:
            for run in runs:
                self.stats.samples_received += len(run.times)
                self.stats.samples_lost += run.lost
        return self._merger.push(name, self._timers[name].rate, runs) if self._merger else runs

    def _blocks(self, runs: list[Run]) -> list[SampleBlock]:
        """One block for each stretch without a gap."""
        if not runs:
            return []
        starts = [i for i, run in enumerate(runs) if not i or run.lost or run.broken]
        blocks = []
        for start, end in zip(starts, [*starts[1:], len(runs)], strict=True):
            times, values, lost, _, received = runs[start]
            if end > start + 1:
                stretch = runs[start:end]
                times = np.concatenate([run.times for run in stretch])
                values = np.concatenate([run.values for run in stretch])
                received = stretch[-1].received
            blocks.append(SampleBlock(times, values, self.channels, lost, received))
        return blocks

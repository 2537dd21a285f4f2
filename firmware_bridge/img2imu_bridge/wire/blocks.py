"""From released messages to SampleBlocks: one numpy operation for all that follow without a gap."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from img2imu_bridge.wire.messages import Info
from img2imu_edge.samples import SampleBlock


class BlockBuilder:
    """Collects runs of messages and turns each run into one block in SI units."""

    def __init__(self, info: Info) -> None:
        """Take the axes, the scales and the clock from `info`."""
        self.channels = info.channels
        self._sample_size = info.sample_size
        self._ticks_per_second = info.ticks_per_second
        self._num = np.repeat([float(s.num) for s in info.sensors], [s.axes for s in info.sensors])
        self._den = np.repeat([float(s.den) for s in info.sensors], [s.axes for s in info.sensors])
        self._runs: list[_Run] = []

    def add(
        self,
        payload: bytes | memoryview,
        start: float,
        step: float,
        lost: int = 0,
        broken: bool = False,
    ) -> None:
        """Append a message's samples.

        Args:
            payload: Whole samples of little-endian int16.
            start: Ticks of the first.
            step: Ticks between two.
            lost: Samples missing before the first; a block begins here if there are any.
            broken: Begin a block here in any case.
        """
        if lost or broken or not self._runs:
            self._runs.append(_Run(lost))
        run = self._runs[-1]
        run.payloads.append(payload)
        run.starts.append(start)
        run.steps.append(step)
        run.counts.append(len(payload) // self._sample_size)

    def build(self, received: float) -> list[SampleBlock]:
        """Return the blocks of what was added since the last time.

        Args:
            received: Seconds on the host's clock when the last byte came, or NaN.
        """
        runs, self._runs = self._runs, []
        return [
            SampleBlock(self._times(run), self._values(run), self.channels, run.lost, received)
            for run in runs
        ]

    def _values(self, run: _Run) -> NDArray[np.float32]:
        counts = np.frombuffer(b"".join(run.payloads), "<i2").reshape(-1, len(self.channels))
        # The product is exact and the quotient rounded once, so that 1/400 gives what parsing "0.0025" does.
        values: NDArray[np.float64] = counts * self._num / self._den
        return values.astype(np.float32)

    def _times(self, run: _Run) -> NDArray[np.float64]:
        if len(run.counts) == 1:  # as most often; its samples are few
            start, step, per_second = run.starts[0], run.steps[0], self._ticks_per_second
            return np.array([(start + step * k) / per_second for k in range(run.counts[0])])
        counts = np.array(run.counts)
        ends = np.cumsum(counts)
        within = np.arange(ends[-1]) - np.repeat(ends - counts, counts)
        ticks = np.repeat(run.starts, counts) + within * np.repeat(run.steps, counts)
        times: NDArray[np.float64] = ticks / self._ticks_per_second
        return times


class _Run:
    """Messages without a gap between them."""

    __slots__ = ("counts", "lost", "payloads", "starts", "steps")

    def __init__(self, lost: int) -> None:
        self.lost = lost
        self.payloads: list[bytes | memoryview] = []
        self.starts: list[float] = []
        self.steps: list[float] = []
        self.counts: list[int] = []

"""`replay:walk.csv?speed=4`: a recording as if it happened now."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import SplitResult

import numpy as np

from img2imu_bridge.options import REAL_TIME, Speed, path_of
from img2imu_edge.errors import SourceError
from img2imu_edge.options import options_of
from img2imu_edge.recording import Recording, read_recording
from img2imu_edge.samples import SampleBlock
from img2imu_edge.source import LinkStats, StreamInfo


@dataclass(frozen=True, slots=True)
class ReplayOptions:
    """Options of `replay:`.

    Attributes:
        speed: Times faster than life; 0 or `max` for as fast as it is taken.
        batch: Samples in one block.
    """

    speed: Speed = REAL_TIME
    batch: int = 10

    def __post_init__(self) -> None:
        if self.batch < 1:
            raise ValueError("batch must be 1 or more")


def open_replay(url: SplitResult) -> ReplaySource:
    """The source behind a `replay:` URL."""
    options = options_of(url, ReplayOptions, SourceError)
    path = path_of(url)
    if not path:
        raise SourceError("replay: needs a recording, such as replay:walk.csv")
    return ReplaySource(url.geturl(), Path(path), options)


class ReplaySource:
    """Plays a recording; times and values are exactly the recording's.

    Where the recording lacks samples a block ends, and the next one says how many.

    Args:
        url: The source's URL, for people.
        path: The CSV.
        options: How to play it.
    """

    def __init__(self, url: str, path: Path, options: ReplayOptions) -> None:
        self.url, self.stats = url, LinkStats()
        self._path, self._options = path, options
        self._recording: Recording | None = None

    @property
    def info(self) -> StreamInfo:
        """What the recording holds."""
        recording = self._opened()
        return StreamInfo(recording.name, recording.channels, recording.rate)

    async def __aenter__(self) -> Self:
        self._recording = await asyncio.to_thread(read_recording, self._path)
        if self._recording.dropped:
            self.stats.warnings.append(f"{self._recording.dropped} rows had missing values and count as gaps")
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._recording = None

    async def __aiter__(self) -> AsyncIterator[SampleBlock]:
        recording, speed = self._opened(), self._options.speed
        begin, first = time.monotonic(), recording.times[0]
        for block in _blocks(recording, self._options.batch):
            due = begin + (block.times[-1] - first) / speed if speed else 0.0
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            self.stats.messages += 1
            self.stats.samples_received += len(block)
            self.stats.samples_lost += block.lost
            # As fast as it is taken, there is no arrival, and nobody is late.
            yield replace(block, received=time.monotonic() if speed else math.nan)

    def _opened(self) -> Recording:
        if self._recording is None:
            raise SourceError(f"{self.url} is not open; use it with: async with source")
        return self._recording


def _blocks(recording: Recording, batch: int) -> Iterator[SampleBlock]:
    """Cut a recording into blocks of at most `batch` samples with no gap inside."""
    periods = np.rint(np.diff(recording.times) * recording.rate).astype(np.int64)
    gaps = np.flatnonzero(periods > 1) + 1
    for first, end in pairwise([0, *gaps.tolist(), len(recording)]):
        lost = int(periods[first - 1]) - 1 if first else 0
        for start in range(first, end, batch):
            part = slice(start, min(start + batch, end))
            yield SampleBlock(
                recording.times[part],
                recording.values[part],
                recording.channels,
                lost if start == first else 0,
            )

"""The guided part of `img2imu enroll`: get ready, do it, rest, by the device's own clock."""

from __future__ import annotations

import asyncio
import dataclasses
import math
import time
from collections.abc import AsyncIterator, Callable

import numpy as np
from rich.console import Console
from rich.live import Live
from rich.text import Text

from img2imu_edge.enrol.perform import Performance, perform
from img2imu_edge.errors import SourceError
from img2imu_edge.model import Model
from img2imu_edge.samples import SampleBlock
from img2imu_edge.source import Source

_FRAME_SECONDS = 0.1
_BAR = 30


async def guided(
    source: Source,
    model: Model,
    label: str,
    repeats: int,
    seconds: float,
    countdown: float,
    console: Console,
) -> list[Performance]:
    """Lead somebody through the repeats.

    Time is the device's, so that a repeat is as long as it says however late its samples come.

    Args:
        source: Not entered.
        model: The model.
        label: What is done.
        repeats: How often.
        seconds: How long each time.
        countdown: Seconds before each.
        console: Where to show it.

    Raises:
        SourceError: If the source fails, or ends too early.
        SensorMismatchError: If the device lacks a channel that the model needs.
    """
    hint = getattr(source, "hint", "")
    if hint:
        console.print(hint, style="dim", markup=False)
    taken: list[list[SampleBlock]] = []
    async with source:
        rate = source.info.rate
        perform(model, rate, [_nothing(source.info.channels)])  # a sensor that is missing is told right away
        blocks = aiter(source)
        rest: SampleBlock | None = None
        with _Screen(console) as screen:
            for number in range(1, repeats + 1):
                title = f"{label}, {number} of {repeats}"
                if countdown:
                    begin = screen.phase(title, "get ready", "yellow", countdown)
                    _, rest = await _take(blocks, rest, countdown, begin)
                begin = screen.phase(title, "now, until the bar is full", "bold green", seconds)
                part, rest = await _take(blocks, rest, seconds, begin)
                taken.append(part)
    return [await asyncio.to_thread(perform, model, rate, part) for part in taken]


async def _take(
    blocks: AsyncIterator[SampleBlock],
    rest: SampleBlock | None,
    seconds: float,
    progress: Callable[[float], None],
) -> tuple[list[SampleBlock], SampleBlock | None]:
    """The next so many seconds of samples, and what of the last block is beyond them."""
    part, begin = list[SampleBlock](), math.nan
    while True:
        block = rest if rest is not None else await anext(blocks, None)
        rest = None
        if block is None:
            raise SourceError(
                "the source ended before all repeats were done; nothing was enrolled. "
                "A recording is read with --from"
            )
        if not len(block):
            continue
        begin = float(block.times[0]) if math.isnan(begin) else begin
        keep = int(np.searchsorted(block.times, begin + seconds))
        if keep:
            part.append(_cut(block, slice(0, keep)))
            progress(float(block.times[keep - 1]) - begin)
        if keep < len(block):
            return part, _cut(block, slice(keep, None))


def _cut(block: SampleBlock, part: slice) -> SampleBlock:
    return dataclasses.replace(block, times=block.times[part], values=block.values[part])


def _nothing(channels: tuple[str, ...]) -> SampleBlock:
    return SampleBlock(np.zeros(0), np.zeros((0, len(channels)), np.float32), channels)


class _Screen:
    """A line that counts on a terminal; elsewhere a line for each phase."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._shown = -math.inf

    def __enter__(self) -> _Screen:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def phase(self, title: str, what: str, style: str, seconds: float) -> Callable[[float], None]:
        """Begin a phase; the result is told how many seconds of it are over."""
        if not self._console.is_terminal:
            self._console.print(Text(f"{title}: {what} ({seconds:g} s)"))
            return lambda done: None

        def show(done: float) -> None:
            now = time.monotonic()
            if now - self._shown < _FRAME_SECONDS:
                return
            self._shown = now
            full = min(int(_BAR * done / seconds), _BAR)
            bar = "█" * full + "░" * (_BAR - full)
            left = f"{max(seconds - done, 0.0):4.1f} s"
            self._live.update(
                Text.assemble((title, "bold"), "  ", (f"{bar} {left}  {what}", style)), refresh=True
            )

        show(0.0)
        return show

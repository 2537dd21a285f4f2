"""What the dashboard shows: the recent past of each wearable, and the browsers that follow it.

A browser gets JSON texts, and binary frames with a header of four little-endian words: kind (1 columns,
2 samples), index of the wearable, count, and height. Columns are RGBA bytes, one column after the other from
its top cell to its lowest, alpha 0 where nothing is known; samples are float32, NaN likewise.
"""

from __future__ import annotations

import asyncio
import json
import struct
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from img2imu_edge.decision import Decision
from img2imu_edge.ring import RingBuffer

MOST_FRAMES = 256
"""Frames that wait for a browser. One that does not keep up loses them, and gets the present state anew."""

MOST_CLIENTS = 8
"""Browsers at a time."""

_COLUMNS, _SAMPLES = 1, 2
_DECISIONS = 600

Frame = str | bytes


@dataclass(frozen=True, slots=True)
class Layout:
    """What one wearable's pictures are like.

    Attributes:
        width: Columns that are shown.
        window: Of these, the latest that the network sees.
        height: Cells of a column.
        channels: Names of the samples' axes.
        hop: Samples from one column to the next.
        rate: Samples a second.
        labels: The model's classes.
        frequencies: Lowest and highest in Hz.
    """

    width: int
    window: int
    height: int
    channels: tuple[str, ...]
    hop: int
    rate: float
    labels: tuple[str, ...]
    frequencies: tuple[float, float]


@dataclass(slots=True)
class _Panel:
    index: int
    url: str
    layout: Layout
    columns: RingBuffer[np.uint8]
    samples: RingBuffer[np.float32]
    decisions: deque[str] = field(default_factory=lambda: deque(maxlen=_DECISIONS))
    stats: str = ""

    def snapshot(self) -> list[Frame]:
        layout = self.layout
        about = {
            "type": "wearable",
            "index": self.index,
            "url": self.url,
            **{name: getattr(layout, name) for name in Layout.__slots__},
        }
        columns, samples = _all(self.columns), _all(self.samples)
        frames: list[Frame] = [json.dumps(about)]
        frames += [_binary(_COLUMNS, self.index, columns), _binary(_SAMPLES, self.index, samples)]
        return [*frames, *self.decisions, *([self.stats] if self.stats else [])]


class Client:
    """One browser's frames, on their way to it."""

    def __init__(self, feed: Feed) -> None:
        self._feed, self._frames, self._wake = feed, deque[Frame](), asyncio.Event()
        self._asking: asyncio.Task[None] | None = None
        self._answer: list[Frame] = []
        self._behind = True
        self._wake.set()

    def put(self, frame: Frame) -> None:
        """Add a frame; never waits."""
        if len(self._frames) == MOST_FRAMES:
            self._behind = True
            self._frames.clear()
        if not self._behind:  # else the state that it gets has it in it
            self._frames.append(frame)
        self._wake.set()

    def ask(self, text: str) -> None:
        """Take what the browser says; while it waits for an answer, what it says goes unheard."""
        if self._asking is None and self._feed.answer is not None:
            self._asking = asyncio.create_task(self._ask(text))

    async def _ask(self, text: str) -> None:
        assert self._feed.answer is not None  # noqa: S101 - `ask` has looked
        try:
            told = await self._feed.answer(text)
        finally:
            self._asking = None
        if told is not None:
            self._answer = [told]  # not among the frames: it must not be lost with them
            self._wake.set()

    def leave(self) -> None:
        """Wait for no answer any more."""
        if self._asking is not None:
            self._asking.cancel()

    async def next(self) -> list[Frame]:
        """Wait for frames to send."""
        await self._wake.wait()
        self._wake.clear()
        frames = [*(self._feed.snapshot() if self._behind else self._frames), *self._answer]
        self._behind, self._answer = False, []
        self._frames.clear()
        return frames


class Feed:
    """Takes what is to be shown. For one event loop; no call waits for a browser.

    Attributes:
        answer: Answers what a browser asks, with None for what is no question; `Watcher` sets it.
    """

    def __init__(self) -> None:
        self.answer: Callable[[str], Awaitable[str | None]] | None = None
        self._panels: dict[str, _Panel] = {}
        self._clients: set[Client] = set()

    def add(self, name: str, url: str, layout: Layout) -> None:
        """Add a wearable, before anything about it is told.

        Args:
            name: What the other calls know it by; it is not shown.
            url: Where its samples come from, for people.
            layout: What its pictures are like.
        """
        self._panels[name] = _Panel(
            len(self._panels),
            url,
            layout,
            RingBuffer(layout.width, (layout.height, 4), np.uint8),
            RingBuffer(layout.width * layout.hop, (len(layout.channels),), np.float32),
        )

    def columns(self, name: str, columns: NDArray[np.uint8]) -> None:
        """Add spectrogram columns (n, height, 4), RGBA."""
        panel = self._panels[name]
        columns = columns[-panel.layout.width :]
        if not len(columns):
            return
        panel.columns.append(columns)
        self._send(_binary(_COLUMNS, panel.index, columns))

    def samples(self, name: str, samples: NDArray[np.float32]) -> None:
        """Add samples (n, channels)."""
        panel = self._panels[name]
        samples = samples[-panel.samples.capacity :]
        if not len(samples):
            return
        panel.samples.append(samples)
        self._send(_binary(_SAMPLES, panel.index, samples))

    def decision(self, name: str, decision: Decision) -> None:
        """Add a decision, made just now."""
        panel = self._panels[name]
        told = {"type": "decision", "index": panel.index, "at": time.time(), **decision.as_dict()}
        panel.decisions.append(json.dumps(told))
        self._send(panel.decisions[-1])

    def stats(self, name: str, stats: Mapping[str, Any]) -> None:
        """Tell how a wearable's link is, in the words of `Watcher`."""
        panel = self._panels[name]
        panel.stats = json.dumps({"type": "stats", "index": panel.index, **stats})
        self._send(panel.stats)

    def snapshot(self) -> list[Frame]:
        """Everything that a browser needs to show the present state."""
        hello = json.dumps({"type": "hello", "now": time.time()})
        return [hello, *(frame for panel in self._panels.values() for frame in panel.snapshot())]

    def connect(self) -> Client | None:
        """A new browser's frames; None if there are too many browsers."""
        if len(self._clients) >= MOST_CLIENTS:
            return None
        client = Client(self)
        self._clients.add(client)
        return client

    def disconnect(self, client: Client) -> None:
        """The browser has gone."""
        client.leave()
        self._clients.discard(client)

    def _send(self, frame: Frame) -> None:
        for client in self._clients:
            client.put(frame)


def _all(ring: RingBuffer[Any]) -> NDArray[Any]:
    return ring.view(ring.total - min(ring.total, ring.capacity), ring.total)


def _binary(kind: int, index: int, items: NDArray[Any]) -> bytes:
    return struct.pack("<4I", kind, index, len(items), items.shape[1]) + items.tobytes()

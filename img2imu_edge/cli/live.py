"""Follow sources to their end, on the screen or as JSON lines; `run` and `demo` share it."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.text import Text

from img2imu_edge.cli.table import fleet_view
from img2imu_edge.cli.view import live_view
from img2imu_edge.decision import Decision
from img2imu_edge.model import Model
from img2imu_edge.runner import Wearable, classify, classify_all
from img2imu_edge.session import Session
from img2imu_edge.sinks.jsonl import JsonLines
from img2imu_edge.source import Source

_FRAMES_PER_SECOND = 8


@dataclass(slots=True)
class Followed:
    """What came of following a source."""

    session: Session
    decisions: list[Decision] = field(default_factory=list)


async def follow(
    source: Source, model: Model, *, json_lines: bool, out: Path | None = None, keep: bool = False
) -> Followed:
    """Show every decision of an entered source until it ends.

    Args:
        source: The source.
        model: The model.
        json_lines: Print JSON lines, and nothing else, to standard output.
        out: Also write JSON lines to this file.
        keep: Remember the decisions, for a summary.
    """
    followed = Followed(Session(model, source.info.rate, source.info.channels))
    with _sinks(json_lines, out) as sinks, _screen(json_lines) as screen:
        told = _Told(sinks, screen)
        async for decision in classify(source, model, session=followed.session):
            for sink in sinks:
                sink.write(source.info.name, decision)
            if keep:
                followed.decisions.append(decision)
            told.tell(source.info.name, source.stats.warnings)
            if screen and screen.is_due():
                size = screen.live.console.size
                view = live_view(source.info.name, followed.session, source.stats, decision, size)
                screen.live.update(view)
    return followed


async def follow_all(
    wearables: Sequence[Wearable], model: Model, *, json_lines: bool, out: Path | None = None
) -> None:
    """Show every decision of several sources, not entered, until all have ended.

    A source that ends with an error shows on the screen, and gives a line of JSON with the event `failed`.

    Args:
        wearables: The sources.
        model: The model that they share.
        json_lines: Print JSON lines, and nothing else, to standard output.
        out: Also write JSON lines to this file.
    """
    latest: dict[str, Decision] = {}
    with _sinks(json_lines, out) as sinks, _screen(json_lines) as screen:
        told = _Told(sinks, screen)
        async for wearable, decision in classify_all(wearables, model):
            latest[wearable.name] = decision
            for sink in sinks:
                sink.write(wearable.name, decision)
            for each in wearables:
                told.tell_all(each)
            if screen and screen.is_due():
                screen.live.update(fleet_view(wearables, latest))
        for each in wearables:
            told.tell_all(each)
        if screen:
            screen.live.update(fleet_view(wearables, latest))


@contextlib.contextmanager
def _sinks(json_lines: bool, out: Path | None) -> Iterator[list[JsonLines]]:
    sinks = [JsonLines(out)] if out else []
    if json_lines:
        sinks.append(JsonLines())
    try:
        yield sinks
    finally:
        for sink in sinks:
            sink.close()


@dataclass(slots=True)
class _Screen:
    """A live display, and when it was last brought up to date."""

    live: Live
    shown: float = -math.inf

    def is_due(self) -> bool:
        now = time.monotonic()
        if now - self.shown < 1 / _FRAMES_PER_SECOND:
            return False
        self.shown = now
        return True


@contextlib.contextmanager
def _screen(json_lines: bool) -> Iterator[_Screen | None]:
    """A live screen on a terminal; a plain last frame where output is not a terminal."""
    if json_lines:
        yield None
        return
    console = Console()
    with Live(console=console, refresh_per_second=_FRAMES_PER_SECOND) as live:
        yield _Screen(live)
    if not console.is_terminal:
        console.print()


class _Told:
    """Tells warnings and failures as they come, each once: lines of JSON, and lines above the screen."""

    def __init__(self, sinks: Sequence[JsonLines], screen: _Screen | None) -> None:
        self._sinks, self._screen = sinks, screen
        self._warnings: dict[str, int] = {}
        self._failed: set[str] = set()

    def tell(self, source: str, warnings: Sequence[str]) -> None:
        """Tell what is new among a source's warnings."""
        for text in warnings[self._warnings.get(source, 0) :]:
            self._say(source, "warning", text)
        self._warnings[source] = len(warnings)

    def tell_all(self, wearable: Wearable) -> None:
        """Tell a wearable's warnings, and what ended it."""
        self.tell(wearable.name, wearable.source.stats.warnings)
        if wearable.error and wearable.name not in self._failed:
            self._failed.add(wearable.name)
            self._say(wearable.name, "failed", str(wearable.error))

    def _say(self, source: str, event: str, text: str) -> None:
        for sink in self._sinks:
            sink.write_object({"source": source, "event": event, "message": text})
        if self._screen:
            self._screen.live.console.print(Text.assemble((f"{source}: ", "bold yellow"), text))

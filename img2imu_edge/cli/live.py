"""Follow sources to their end, on the screen or as JSON lines; `run` and `demo` share it."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from rich.console import Console, ConsoleDimensions, RenderableType
from rich.live import Live
from rich.text import Text

from img2imu_edge.cli.table import fleet_view
from img2imu_edge.cli.view import live_view
from img2imu_edge.decision import Decision
from img2imu_edge.model import Model
from img2imu_edge.runner import Wearable, classify, classify_all
from img2imu_edge.session import Session
from img2imu_edge.sinks import Counters, Event
from img2imu_edge.sinks.jsonl import JsonLinesSink
from img2imu_edge.sinks.outlets import Outlets
from img2imu_edge.source import Source

Watch = Callable[[str, Decision], None]
"""Is told of each decision of a source, by name, while the source's session is at rest."""

_FRAMES_PER_SECOND = 8
_TELL_S = 1.0


@dataclass(slots=True)
class Followed:
    """What came of following a source."""

    session: Session
    decisions: list[Decision] = field(default_factory=list)


async def follow(
    source: Source,
    model: Model,
    *,
    json_lines: bool,
    outlets: Outlets | None = None,
    session: Session | None = None,
    keep: bool = False,
    watch: Watch | None = None,
) -> Followed:
    """Show every decision of an entered source until it ends.

    Args:
        source: The source.
        model: The model.
        json_lines: Print JSON lines, and nothing else, to standard output.
        outlets: Where decisions, warnings and counters go; if None, to standard output or nowhere.
        session: The wearable's session, to look at it meanwhile; made if None.
        keep: Remember the decisions, for a summary.
        watch: Told of each decision, to show it and the session elsewhere.
    """
    if outlets is None:
        with Outlets([JsonLinesSink()] * json_lines) as own:
            return await follow(
                *(source, model),
                json_lines=json_lines,
                outlets=own,
                session=session,
                keep=keep,
                watch=watch,
            )
    name = source.info.name
    followed = Followed(session or Session(model, source.info.rate, source.info.channels))
    with _screen(json_lines) as screen:
        told = _Told(outlets, screen)

        def tell() -> None:
            told.tell(name, source.stats.warnings)
            told.tell_of_outlets()
            outlets.send(Counters.of(name, source.stats, followed.session.stats))

        async with _now_and_then(tell):
            async for decision in classify(source, model, session=followed.session):
                if watch:
                    watch(name, decision)
                await outlets.decide(name, decision)
                if keep:
                    followed.decisions.append(decision)
                told.tell(name, source.stats.warnings)
                if screen:
                    screen.show(partial(live_view, name, followed.session, source.stats, decision))
    return followed


async def follow_all(
    wearables: Sequence[Wearable],
    model: Model,
    *,
    json_lines: bool,
    outlets: Outlets,
    watch: Watch | None = None,
) -> None:
    """Show every decision of several sources, not entered, until all have ended.

    A source that ends with an error shows on the screen, and gives an event `failed`.

    Args:
        wearables: The sources.
        model: The model that they share.
        json_lines: Print nothing to standard output: it is for JSON lines.
        outlets: Where decisions, warnings and counters go.
        watch: Told of each decision, to show it and the session elsewhere.
    """
    latest: dict[str, Decision] = {}
    with _screen(json_lines) as screen:
        told = _Told(outlets, screen)

        def tell() -> None:
            for each in wearables:
                told.tell_all(each)
                outlets.send(
                    Counters.of(each.name, each.source.stats, each.session.stats if each.session else None)
                )
            told.tell_of_outlets()

        def show(_: ConsoleDimensions) -> RenderableType:
            return fleet_view(wearables, latest)

        async with _now_and_then(tell):
            async for wearable, decision in classify_all(wearables, model):
                latest[wearable.name] = decision
                if watch:
                    watch(wearable.name, decision)
                await outlets.decide(wearable.name, decision)
                told.tell_all(wearable)
                if screen:
                    screen.show(show)
        if screen:
            screen.show(show)


@contextlib.asynccontextmanager
async def _now_and_then(act: Callable[[], None]) -> AsyncGenerator[None]:
    """Act every second, also while no decision comes, and at the end."""

    async def tick() -> None:
        while True:
            await asyncio.sleep(_TELL_S)
            act()

    ticking = asyncio.create_task(tick())
    try:
        yield
    finally:
        ticking.cancel()
        await asyncio.gather(ticking, return_exceptions=True)
        act()


@dataclass(slots=True)
class _Screen:
    """A live display; where output is not a terminal, its last picture alone.

    It is drawn when there is something new: rich's own clock would print the same picture many times over.
    """

    live: Live
    _shown: float = -math.inf
    _latest: Callable[[ConsoleDimensions], RenderableType] | None = None

    def show(self, make: Callable[[ConsoleDimensions], RenderableType]) -> None:
        """Draw what is made for a terminal's size, unless it was drawn just now."""
        self._latest, now = make, time.monotonic()
        if self.live.console.is_terminal and now - self._shown >= 1 / _FRAMES_PER_SECOND:
            self._shown = now
            self.draw()

    def draw(self) -> None:
        """Draw the latest."""
        if self._latest:
            self.live.update(self._latest(self.live.console.size), refresh=True)


@contextlib.contextmanager
def _screen(json_lines: bool) -> Iterator[_Screen | None]:
    if json_lines:
        yield None
        return
    console = Console()
    with Live(console=console, auto_refresh=False) as live:
        screen = _Screen(live)
        try:
            yield screen
        finally:
            screen.draw()
    if not console.is_terminal:
        console.print()


class _Told:
    """Tells warnings and failures as they come, each once: to the outlets, and in lines above the screen."""

    def __init__(self, outlets: Outlets, screen: _Screen | None) -> None:
        self._outlets, self._screen = outlets, screen
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

    def tell_of_outlets(self) -> None:
        """Tell what is new with the outlets themselves."""
        for url, text in self._outlets.news():
            self._say(url, "warning", text)

    def _say(self, source: str, kind: Literal["warning", "failed"], text: str) -> None:
        self._outlets.send(Event(source, kind, text))
        if self._screen:
            self._screen.live.console.print(Text.assemble((f"{source}: ", "bold yellow"), text))

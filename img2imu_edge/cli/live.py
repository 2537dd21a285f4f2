"""Follow one source to its end, on the screen or as JSON lines; `run` and `demo` share it."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.live import Live

from img2imu_edge.cli.view import live_view
from img2imu_edge.decision import Decision
from img2imu_edge.model import Model
from img2imu_edge.runner import classify
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
    shown = -math.inf
    with _sinks(json_lines, out) as sinks, _screen(json_lines) as live:
        async for decision in classify(source, model, session=followed.session):
            for sink in sinks:
                sink.write(decision)
            if keep:
                followed.decisions.append(decision)
            if live and time.monotonic() - shown >= 1 / _FRAMES_PER_SECOND:
                shown = time.monotonic()
                size = live.console.size
                live.update(live_view(source.info.name, followed.session, source.stats, decision, size))
    return followed


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


@contextlib.contextmanager
def _screen(json_lines: bool) -> Iterator[Live | None]:
    """A live screen on a terminal; a plain last frame where output is not a terminal."""
    if json_lines:
        yield None
        return
    with Live(console=Console(), refresh_per_second=_FRAMES_PER_SECOND) as live:
        yield live

"""The command `img2imu doctor`."""

from __future__ import annotations

import asyncio
import json as jsonlib
import math
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from img2imu_bridge.doctor.advice import advise
from img2imu_bridge.doctor.computer import describe_computer
from img2imu_bridge.doctor.measure import measure
from img2imu_bridge.doctor.page import page
from img2imu_edge import options
from img2imu_edge.source import open_source

_ADDRESS = re.compile(r"\b((?:[0-9A-Fa-f]{2}[:-]){3})(?:[0-9A-Fa-f]{2}[:-]){2}[0-9A-Fa-f]{2}\b")


def doctor(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="Any source that img2imu run takes.")],
    seconds: Annotated[float, typer.Option(min=1.0, max=3600.0, help="How long to measure.")] = 30.0,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of the page.")] = False,
) -> None:
    """Measure how a device and its link are doing, and say what to do about it.

    Lay the device still for ten seconds of it, and then move it as usual.

    The page is meant to be pasted into a bug report; the last half of a
    Bluetooth address is left out. The exit status is 1 if something is
    seriously wrong.

    Examples:
      img2imu doctor serial:///dev/ttyUSB0

      img2imu doctor "virtual:?loss=0.05" --seconds 10 --json
    """
    opened = open_source(source)
    with _progress(seconds) as progress:
        found = asyncio.run(measure(opened, seconds, progress))
    computer = describe_computer()
    advice = advise(found, computer)
    if json:
        told = {
            "source": without_secrets(source),
            **_plain(asdict(found)),
            "computer": computer,
            "advice": [asdict(each) for each in advice],
        }
        typer.echo(_hidden(jsonlib.dumps(told, ensure_ascii=False)))
    else:
        typer.echo(_hidden(page(without_secrets(source), found, computer, advice)), nl=False)
    if any(each.mark == "FAIL" for each in advice):
        raise typer.Exit(1)


def without_secrets(url: str) -> str:
    """As `options.without_secrets`, and without the half of an address that tells devices apart."""
    return _hidden(options.without_secrets(url))


def _hidden(text: str) -> str:
    return _ADDRESS.sub(r"\1xx:xx:xx", text)


def _plain(value: Any) -> Any:
    """What JSON can hold: it has no NaN."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


@contextmanager
def _progress(seconds: float) -> Iterator[Callable[[float], None]]:
    """A bar on the terminal, gone when it is full; nothing where standard error is no terminal."""
    console = Console(stderr=True)
    bar = Progress(
        TextColumn(f"measuring for {seconds:g} s"),
        BarColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    with bar:
        task = bar.add_task("", total=1.0)
        yield lambda share: bar.update(task, completed=share)

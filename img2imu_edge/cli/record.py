"""`img2imu record`: a wearable's motion into labelled files that `img2imu finetune` reads."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from img2imu_edge.cli.record_view import spent
from img2imu_edge.cli.recorder import Plan, Recorder
from img2imu_edge.errors import RecordingError
from img2imu_edge.recording import UNLABELLED
from img2imu_edge.source import open_source

_MOST_LABELS = 9


def record(
    source: Annotated[
        str, typer.Argument(help="serial:///dev/ttyUSB0, ble://…; see img2imu devices.", metavar="SOURCE")
    ],
    subject: Annotated[str, typer.Option("--subject", "-s", help="Who wears it.")],
    label: Annotated[
        list[str] | None,
        typer.Option("--label", "-l", help="What is done; up to nine, chosen by the keys 1 to 9."),
    ] = None,
    placement: Annotated[
        str, typer.Option("--placement", "-p", help="Where it is worn, such as 'left wrist'.")
    ] = "",
    session: Annotated[
        str, typer.Option(help="Name of this wearing, if it makes more than one recording.")
    ] = "",
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder for the files.")] = Path("data"),
    seconds: Annotated[float, typer.Option(help="Stop after so much; 0 for when you do.", min=0)] = 0.0,
    countdown: Annotated[float, typer.Option(help="Seconds before it begins.", min=0, max=600)] = 3.0,
) -> None:
    """Record a wearable's motion with labels.

    One label holds from the beginning. Of several, choose by the keys 1 to 9;
    space takes the label away, q stops. No file is ever overwritten, and what
    was received is on disk within a second.

    Examples:
      img2imu record serial:///dev/ttyUSB0 --label walking --subject ann -o data

      img2imu record ble:MyBand -l walk -l run -l rest -s bob -p "left wrist"
    """
    labels = _checked(label or [])
    if not subject.strip():
        raise RecordingError("say who wears it: --subject ann. Scores are only true for people kept apart")
    plan = Plan(source, labels, subject.strip(), placement.strip(), session.strip(), out, seconds, countdown)
    console = Console()
    recorder = Recorder(plan, open_source(source), console)
    try:
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(recorder.run())
    finally:
        _summarise(recorder, console)


def _checked(labels: list[str]) -> tuple[str, ...]:
    labels = [label.strip() for label in labels]
    if any(not label or not label.isprintable() for label in labels):
        raise RecordingError("a label is a word or two; leave --label away to record without one")
    if len(set(labels)) < len(labels):
        raise RecordingError("a label is given twice")
    if len(labels) > _MOST_LABELS:
        raise RecordingError(f"{_MOST_LABELS} labels have keys; record the others another time")
    return tuple(labels)


def _summarise(recorder: Recorder, console: Console) -> None:
    writer, progress = recorder.writer, recorder.progress
    if writer is None or progress is None:
        console.print("Nothing was recorded.", style="yellow")
        return
    parts = [
        f"{label or 'no label'} {seconds:.1f} s"
        for label, seconds in spent(writer.samples, progress.rate).items()
        if label != UNLABELLED or seconds
    ]
    console.print(
        Text.assemble((f"{writer.path}", "bold"), f": {', '.join(parts) or 'no samples'}"), soft_wrap=True
    )
    if progress.lost:
        console.print(f"{progress.lost:,} samples got lost on the way and are gaps.", style="yellow")
    if writer.skipped:
        told = f"{writer.skipped:,} samples were left out: their times do not come after those before."
        console.print(told, style="yellow", soft_wrap=True)
    for warning in progress.warnings:
        console.print(Text(warning, style="yellow"))
    if any(count for label, count in writer.samples.items() if label != UNLABELLED):
        console.print(f"Next: img2imu finetune {writer.path.parent}", style="dim", soft_wrap=True)

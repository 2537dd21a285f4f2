"""The screen while recording: the label, the link, and the sensors' last seconds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import ConsoleDimensions, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from img2imu_edge.cli.traces import Traces
from img2imu_edge.labelling import Labelling
from img2imu_edge.recording import UNLABELLED

_AXES = {"x": "red", "y": "green", "z": "blue"}
_LEAST = {"acc": 2.0, "gyr": 0.5}
_TALLEST, _WITH_RANGE = 3, 60
_FRAME = 4
_WARNINGS = 2


@dataclass(slots=True)
class Progress:
    """What there is to see.

    Attributes:
        title: The device.
        traces: The sensors' last seconds.
        labelling: The labels.
        keys: Whether there is a keyboard.
        waiting: Seconds until the recording begins; 0 when it has.
        path: Where it goes.
        seconds: How long it is.
        limit: How long it shall be; 0 for no limit.
        samples: How many there are of each label.
        rate: Sampling rate in Hz, as the device says.
        lost: Samples that got lost on the way.
        warnings: What is odd about it.
    """

    title: str
    traces: Traces
    labelling: Labelling
    rate: float
    keys: bool = False
    waiting: float = 0.0
    path: Path | None = None
    seconds: float = 0.0
    limit: float = 0.0
    samples: Mapping[str, int] = field(default_factory=Counter)
    lost: int = 0
    warnings: Sequence[str] = ()


def record_view(progress: Progress, size: ConsoleDimensions) -> RenderableType:
    """Everything about the recording right now, no wider and no taller than the terminal."""
    inner = max(size.width - _FRAME, 16)
    head = [_headline(progress), _numbers(progress)]
    foot = [_labels(progress)]
    if progress.warnings:
        foot.append(Text("\n".join(progress.warnings[-_WARNINGS:]), style="yellow"))
    foot.append(_help(progress))
    taken = sum(_lines(text, inner) for text in (*head, *foot))
    axes = len(progress.traces.channels)
    height = min(max((size.height - 3 - taken) // max(axes, 1), 1), _TALLEST)
    return Panel(
        Group(*head, _plot(progress.traces, inner, height), *foot),
        title=Text(progress.title, style="bold"),
        border_style="red" if progress.path else "cyan",
        width=size.width,
    )


def spent(samples: Mapping[str, int], rate: float) -> dict[str, float]:
    """Seconds of each label."""
    return {label: count / rate for label, count in samples.items()} if rate else {}


def _lines(text: Text, width: int) -> int:
    return sum(max(1, -(-line.cell_len // width)) for line in text.split())


def _headline(progress: Progress) -> Text:
    label = progress.labelling.current
    if progress.waiting > 0:
        what = f", then {label!r}" if label else ""
        return Text(f"begins in {progress.waiting:.0f} s{what}", style="bold cyan")
    if label == UNLABELLED:
        return Text("‖ recording, no label", style="bold yellow")
    return Text(f"● {label}", style="bold green")


def _numbers(progress: Progress) -> Text:
    made = sum(progress.samples.values()) + progress.lost
    share = progress.lost / made if made else 0.0
    limit = f" of {progress.limit:g}" if progress.limit else ""
    return Text.assemble(
        (f"{progress.seconds:.1f}{limit} s   {progress.traces.rate or progress.rate:.1f} Hz   ", "dim"),
        (f"lost {progress.lost:,} ({share:.1%})", "bold red" if progress.lost else "dim"),
    )


def _labels(progress: Progress) -> Text:
    text = Text()
    each = spent(progress.samples, progress.rate)
    for number, label in enumerate(progress.labelling.labels, start=1):
        style = "bold green" if label == progress.labelling.current else ""
        key = f"{number} " if progress.keys else ""
        text.append(f"{key}{label} {each.get(label, 0.0):.0f} s   ", style)
    text.append(f"no label {each.get(UNLABELLED, 0.0):.0f} s", "dim")
    return text


def _help(progress: Progress) -> Text:
    if not progress.keys:
        return Text("Ctrl+C stops", style="dim")
    keys = "1" if len(progress.labelling.labels) == 1 else f"1…{len(progress.labelling.labels)}"
    labels = f"{keys} label   space no label   " if progress.labelling.labels else ""
    return Text(f"keys: {labels}q stop", style="dim")


def _plot(traces: Traces, width: int, height: int) -> RenderableType:
    ranged = width >= _WITH_RANGE
    columns = width - 6 - (14 if ranged else 0)
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_column(width=5)
    table.add_column(width=columns)
    if ranged:
        table.add_column(width=12, justify="right")
    for channel in traces.channels:
        lines, low, high = traces.draw(channel, columns, height, _LEAST.get(channel[:3], 1.0))
        style = _AXES.get(channel[-1], "white")
        row = [Text(channel, style="dim"), Text("\n".join(lines), style=style, no_wrap=True)]
        if ranged:
            row.append(Text(f"{low + 0.0:.1f} … {high + 0.0:.1f}", style="dim"))
        table.add_row(*row)
    return table

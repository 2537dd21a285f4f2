"""`img2imu demo`: the whole way, from a virtual wearable's bytes to decisions."""

from __future__ import annotations

import asyncio
import json as jsonlib
from typing import Annotated, Any
from urllib.parse import urlencode

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from img2imu_edge.cli.live import Followed, follow
from img2imu_edge.cli.options import JsonFlag
from img2imu_edge.evaluation import answered, macro_f1
from img2imu_edge.model import Model, load_model
from img2imu_edge.recording import Recording, demo_recording, read_recording
from img2imu_edge.source import Source, open_source

DEMO_MODEL = "shoulder"


def demo(
    speed: Annotated[float, typer.Option(min=0.1, help="How many times faster than life.")] = 6.0,
    json: JsonFlag = False,
) -> None:
    """Watch a smartwatch's motion being classified, live; no hardware needed.

    A virtual wearable (a process of its own, behind a virtual serial port)
    streams a real recording of shoulder exercises, by someone whom the model
    never saw, through every layer that a real device would use. The exit status
    is 1 if a single sample was lost.

    Example: img2imu demo --speed 20
    """
    model = load_model(DEMO_MODEL)
    recording = read_recording(demo_recording())
    options = {"recording": demo_recording(), "speed": speed}
    source = open_source("virtual:?" + urlencode(options))
    followed = asyncio.run(_follow(source, model, json))
    result = summary(source, recording, model, followed)
    if json:
        typer.echo(jsonlib.dumps(result))
    else:
        _show(result, recording)
    if result["samples_lost"] or result["samples_sent"] != result["samples_received"]:
        raise typer.Exit(1)


async def _follow(source: Source, model: Model, json: bool) -> Followed:
    async with source:
        return await follow(source, model, json_lines=json, keep=True)


def summary(source: Source, recording: Recording, model: Model, followed: Followed) -> dict[str, Any]:
    """The demo's outcome, as its last line of JSON."""
    window_s = model.window_samples / model.card.input.rate
    latencies = [d.latency_ms for d in followed.decisions if d.status == "ok" and d.latency_ms is not None]
    p50, p95 = np.percentile(latencies, [50, 95]).round(2).tolist() if latencies else (None, None)
    ledger: dict[str, int] = getattr(source, "ledger", {})
    return {
        "event": "summary",
        "samples_sent": ledger.get("samples_made", 0),
        "samples_received": source.stats.samples_received,
        "samples_lost": source.stats.samples_lost,
        "decisions": len(followed.decisions),
        "decisions_skipped": followed.session.stats.skipped,
        "macro_f1": round(macro_f1(*answered(recording, followed.decisions, window_s)), 4),
        "latency_ms_p50": p50,
        "latency_ms_p95": p95,
    }


def _show(result: dict[str, Any], recording: Recording) -> None:
    table = Table(title="From bytes to decisions", box=None, show_header=False)
    table.add_column(style="cyan", justify="right")
    table.add_column()
    table.add_row("samples sent", f"{result['samples_sent']:,}")
    table.add_row("received", f"{result['samples_received']:,}")
    table.add_row("lost", f"{result['samples_lost']:,}")
    table.add_row("decisions", f"{result['decisions']:,}")
    table.add_row("macro-F1", f"{result['macro_f1']:.3f} on a person whom the model never saw")
    latency = f"{result['latency_ms_p50']} ms (p50), {result['latency_ms_p95']} ms (p95)"
    table.add_row("latency", f"{latency} from a window's last sample to its decision")
    table.add_row("recording", str(recording.about.get("source", recording.name)))
    console = Console()
    console.print(table)
    console.print("Next: [bold]img2imu run SOURCE --model shoulder[/bold], or [bold]img2imu devices[/bold]")

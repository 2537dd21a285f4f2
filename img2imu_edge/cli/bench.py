"""`img2imu bench`: what a decision costs, beside the plain way of making it, in one run."""

from __future__ import annotations

import json as jsonlib
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from img2imu_edge.benchmark import run_benchmarks
from img2imu_edge.cli.options import JsonFlag


def bench(json: JsonFlag = False) -> None:
    r"""Measure time per decision, start-up, memory and parsing speed on this machine.

    Ours and the plain way take turns in the same run, so that their ratio holds
    on a busy machine too. CPU time is that of all threads. The plain way keeps
    the last window in NumPy, calls scipy.signal.spectrogram for each axis,
    resizes with Pillow, and runs the float32 network with ONNX Runtime's default
    options.

    Other ways beside these, memory, many wearables at once: docs/benchmarks.md.

    Needs: pip install 'img2imu-edge\[bench]'
    """
    console = Console(stderr=True)
    with console.status("measuring; about 20 s …"):
        result = run_benchmarks()
    if json:
        typer.echo(jsonlib.dumps(result))
    else:
        _show(result)


def _show(result: dict[str, Any]) -> None:
    hop = result["hop_us"]
    table = Table(title="CPU time per decision (median, µs)", box=None)
    table.add_column("", style="cyan")
    for heading in ("ours", "plain way", "ratio"):
        table.add_column(heading, justify="right")
    pairs = [("front-end", "front_end", "plain_front_end"), ("network", "engine", "plain_engine")]
    for name, ours, plain in pairs:
        table.add_row(name, f"{hop[ours]:.0f}", f"{hop[plain]:.0f}", f"{hop[plain] / hop[ours]:.1f} ×")
    table.add_row("decision", f"{hop['decision']:.0f}", "", "")
    console = Console()
    console.print(table)
    console.print(
        f"import img2imu_edge: {result['import_s']:.2f} s   memory while streaming: {result['rss_mb']:.0f} MB"
    )
    for key, value in result.items():
        if key.startswith("parse_"):
            console.print(f"{key.replace('_', ' ')}: {value:,.0f}")

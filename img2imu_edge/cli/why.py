"""`img2imu classify --why 12.5`: one decision of a recording, explained in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from img2imu_edge.cli.blocks import HalfBlocks
from img2imu_edge.cli.view import bar
from img2imu_edge.decision import Decision
from img2imu_edge.engines import Array
from img2imu_edge.model import Model
from img2imu_edge.recording import Recording
from img2imu_edge.session import Session, Window
from img2imu_edge.spectrogram import stack
from img2imu_edge.why import Explanation, explain

_GLOW = np.array([1.0, 0.65, 0.15], np.float32)[:, None, None]
_BLOCK = 256


def show_why(recording: Recording, model: Model, decisions: Sequence[Decision], time: float) -> None:
    """Explain the first decision from a time on.

    Args:
        recording: The recording.
        model: The model.
        decisions: What it decided on the recording.
        time: Seconds, as `Decision.time`.

    Raises:
        BadParameter: If nothing was decided from then on.
    """
    decision = next((d for d in decisions if d.time >= time and d.status in ("ok", "unknown")), None)
    seen = _seen(recording, model, decision.time) if decision else None
    if decision is None or seen is None:
        last = max((d.time for d in decisions), default=0.0)
        raise typer.BadParameter(
            f"nothing was decided from {time:g} s to the end, {last:g} s", param_hint="--why"
        )
    found = explain(model, seen, decision.label if decision.status == "ok" else None)
    console = Console()
    console.print(f"{recording.name}, {decision.time:.1f} s", style="dim", markup=False)
    if decision.status == "unknown":
        console.print("Unlike anything it was trained on; the nearest:")
    console.print(found.sentence(), highlight=False, markup=False)
    table = Table.grid(padding=(0, 3))
    if console.color_system:
        table.add_row(HalfBlocks(_glowing(found)), _shares(found))
    else:
        table.add_row(_shares(found))
    console.print(table)


def _seen(recording: Recording, model: Model, time: float) -> Array | None:
    session, windows = Session(model, recording.rate, recording.channels), list[Window]()
    for block in recording.blocks(_BLOCK):
        windows = session.take(block)
        if windows and windows[-1].time >= time:
            break
    else:
        windows += session.rest()
    return next((window.seen for window in windows if window.time == time), None)


def _glowing(found: Explanation) -> Array:
    """The picture in grey, what speaks for the label in orange: (3, sensors × rows, columns)."""
    grey = 0.55 * stack(found.picture).max(axis=0)
    heat = np.maximum(found.map, 0)
    glow = np.sqrt(heat / max(float(heat.max()), 1e-9))
    return np.asarray(grey * (1 - 0.75 * glow) + _GLOW * 0.9 * glow, dtype=np.float32)


def _shares(found: Explanation) -> Table:
    table = Table.grid(padding=(0, 1))
    for channel, share in found.axes.items():
        table.add_row(Text(channel), bar(share, "dark_orange"), f"{share:4.0%}")
    return table

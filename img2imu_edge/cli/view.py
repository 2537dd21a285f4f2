"""The live screen: spectrogram, decision, and the health of the link."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from rich.color import Color
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.style import Style
from rich.table import Table
from rich.text import Text

from img2imu_edge.decision import Decision
from img2imu_edge.session import Session
from img2imu_edge.source import LinkStats

_WAITING = {
    "warming_up": "warming up …",
    "gap": "too few samples",
    "unknown": "unknown motion",
}


def live_view(title: str, session: Session, link: LinkStats, decision: Decision) -> RenderableType:
    """Everything about one wearable right now.

    Args:
        title: The device's name.
        session: Its session, at rest (not being pushed to).
        link: Its link's counters.
        decision: The latest decision.
    """
    columns = Table.grid(padding=(0, 2), expand=False)
    columns.add_row(
        _spectrograms(session), Group(_headline(decision), "", _scores(decision), "", _link(link))
    )
    return Panel(columns, title=f"[bold]{title}[/bold]", border_style="cyan", expand=False)


def _headline(decision: Decision) -> Text:
    text = Text(f"{decision.time:8.1f} s   ", style="dim")
    if decision.status == "ok":
        text.append(f"{decision.label}", style="bold green")
        text.append(f"  {decision.confidence:.0%}", style="green")
    else:
        text.append(_WAITING[decision.status], style="bold yellow")
    return text


def _scores(decision: Decision) -> Table:
    table = Table.grid(padding=(0, 1))
    for label, score in decision.scores.items():
        chosen = label == decision.label
        style = "green" if chosen else "blue"
        table.add_row(Text(label, style="bold" if chosen else ""), _bar(score, style), f"{score:4.0%}")
    table.add_row("coverage", _bar(decision.coverage, "cyan"), f"{decision.coverage:4.0%}")
    return table


def _bar(share: float, style: str) -> ProgressBar:
    return ProgressBar(total=1.0, completed=share, width=24, complete_style=style, finished_style=style)


def _link(link: LinkStats) -> Text:
    lost = "bold red" if link.samples_lost else "dim"
    text = Text(f"received {link.samples_received:,}", style="dim")
    text.append(f"   lost {link.samples_lost:,}", style=lost)
    text.append(f"   corrupt {link.corrupt:,}   reconnects {link.reconnects:,}", style="dim")
    return text


def _spectrograms(session: Session) -> RenderableType:
    """The current window, one picture a sensor: x, y, z are red, green, blue; low frequencies below."""
    card = session.model.card
    stream = session.spectrogram
    shape = (len(card.input.channels), session.model.plan.rows, card.input.columns)
    picture = stream.picture() if stream.total >= card.input.columns else np.zeros(shape, np.float32)
    names = ("accelerometer", "gyroscope")[: shape[0] // 3]
    parts: list[RenderableType] = []
    for sensor, name in enumerate(names):
        parts += [Text(name, style="dim"), half_blocks(picture[3 * sensor : 3 * sensor + 3])]
    return Group(*parts)


def half_blocks(picture: NDArray[np.float32]) -> Text:
    """A picture (3, rows, columns) of 0 to 1 as text, two rows of cells a line, lowest row last."""
    pixels = (np.clip(picture, 0, 1) * 255).astype(int)[:, ::-1].transpose(1, 2, 0)
    if len(pixels) % 2:
        pixels = np.concatenate([pixels, np.zeros_like(pixels[:1])])
    text = Text(no_wrap=True)
    for upper, lower in zip(pixels[::2].tolist(), pixels[1::2].tolist(), strict=True):
        for (r, g, b), (r2, g2, b2) in zip(upper, lower, strict=True):
            text.append("▀", Style(color=Color.from_rgb(r, g, b), bgcolor=Color.from_rgb(r2, g2, b2)))
        text.append("\n")
    text.rstrip()
    return text

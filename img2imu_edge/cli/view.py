"""The live screen: spectrogram, decision, and the health of the link."""

from __future__ import annotations

import numpy as np
from rich.console import ConsoleDimensions, Group, RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from img2imu_edge.cli.blocks import HalfBlocks
from img2imu_edge.decision import Decision
from img2imu_edge.session import Session
from img2imu_edge.source import LinkStats

_ANSWER_WIDTH, _PICTURE_MARGIN, _FRAME_LINES = 54, 2, 4
_WAITING = {
    "warming_up": "warming up …",
    "gap": "too few samples",
    "unknown": "unknown motion",
}


def live_view(
    title: str, session: Session, link: LinkStats, decision: Decision, size: ConsoleDimensions
) -> RenderableType:
    """Everything about one wearable right now.

    Args:
        title: The device's name.
        session: Its session, at rest (not being pushed to).
        link: Its link's counters.
        decision: The latest decision.
        size: The terminal's; a small one shows the accelerometer's picture alone.
    """
    answer = Group(headline(decision), "", _scores(decision), "", _link(link), "", _legend(session))
    pictures = _pictures(session)
    across = sum(_PICTURE_MARGIN + session.model.card.input.columns for _ in pictures) + _ANSWER_WIDTH
    columns = Table.grid(padding=(0, 2), expand=False)
    if across <= size.width:
        columns.add_row(*pictures, answer)
    else:
        down = len(pictures) * (session.model.plan.rows // 2 + 1) + _FRAME_LINES
        columns.add_row(Group(*pictures) if down <= size.height else pictures[0], answer)
    return Panel(columns, title=Text(title, "bold"), border_style="cyan", expand=False)


def headline(decision: Decision) -> Text:
    """Time and answer of a decision."""
    if decision.status == "ok":
        answer, style = f"{decision.label}  {decision.confidence:.0%}", "bold green"
    else:
        answer, style = _WAITING[decision.status], "bold yellow"
    return Text.assemble((f"{decision.time:.1f} s   ", "dim"), (answer, style))


def _scores(decision: Decision) -> Table:
    table = Table.grid(padding=(0, 1))
    for label, score in decision.scores.items():
        chosen = label == decision.label
        style = "green" if chosen else "blue"
        table.add_row(Text(label, style="bold" if chosen else ""), bar(score, style), f"{score:4.0%}")
    table.add_row("coverage", bar(decision.coverage, "cyan"), f"{decision.coverage:4.0%}")
    return table


def bar(share: float, style: str, width: int = 24) -> ProgressBar:
    """A share from 0 to 1 as a bar."""
    return ProgressBar(total=1.0, completed=share, width=width, complete_style=style, finished_style=style)


def _link(link: LinkStats) -> Text:
    battery = "" if link.battery is None else f"   battery {link.battery} %"
    return Text.assemble(
        (f"received {link.samples_received:,}   ", "dim"),
        (f"lost {link.samples_lost:,}", "bold red" if link.samples_lost else "dim"),
        (f"   corrupt {link.corrupt:,}   reconnects {link.reconnects:,}{battery}", "dim"),
    )


def _legend(session: Session) -> Text:
    plan, card = session.model.plan, session.model.card
    low, high = plan.frequencies[0], plan.frequencies[-1]
    seconds = session.model.window_samples / card.input.rate
    span = f"{low:g} Hz (bottom) to {high:g} Hz, last {seconds:.1f} s"
    return Text.assemble(("x ", "red"), ("y ", "green"), ("z  ", "blue"), (span, "dim"))


def _pictures(session: Session) -> list[RenderableType]:
    """The current window, one picture a sensor: x, y, z are red, green, blue; low frequencies below."""
    card, stream = session.model.card, session.spectrogram
    shape = (len(card.input.channels), session.model.plan.rows, card.input.columns)
    picture = stream.picture() if stream.total >= card.input.columns else np.zeros(shape, np.float32)
    names = ("accelerometer", "gyroscope")[: shape[0] // 3]
    return [
        Group(Text(name, style="dim"), HalfBlocks(picture[3 * sensor : 3 * sensor + 3]))
        for sensor, name in enumerate(names)
    ]

"""The live screen of several wearables: a line for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.table import Table
from rich.text import Text

from img2imu_edge.cli.view import bar, headline
from img2imu_edge.decision import Decision
from img2imu_edge.runner import Wearable


def fleet_view(wearables: Sequence[Wearable], latest: Mapping[str, Decision]) -> Table:
    """All wearables right now.

    Args:
        wearables: In the order of the lines.
        latest: The latest decision of each that made one, by name.
    """
    table = Table(box=None, padding=(0, 1))
    for heading in ("wearable", "decision", "coverage"):
        table.add_column(heading)
    for heading in ("received", "lost", "reconnects"):
        table.add_column(heading, justify="right")
    for wearable in wearables:
        decision, stats = latest.get(wearable.name), wearable.source.stats
        lost = Text(f"{stats.samples_lost:,}", "bold red" if stats.samples_lost else "dim")
        table.add_row(
            Text(wearable.name, style="bold", overflow="ellipsis", no_wrap=True),
            _state(wearable, decision),
            bar(decision.coverage, "cyan", width=8) if decision else "",
            f"{stats.samples_received:,}",
            lost,
            f"{stats.reconnects:,}",
        )
    return table


def _state(wearable: Wearable, decision: Decision | None) -> Text:
    if wearable.error:
        return Text("failed", style="bold red")
    if wearable.ended:
        return Text("ended", style="dim")
    return headline(decision) if decision else Text("connecting …", style="dim")

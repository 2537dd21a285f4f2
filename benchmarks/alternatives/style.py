"""How the figures look: ours stand out, everything else is quiet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, QUIET, FAINT = "#222222", "#666666", "#e3e3e3"
COLOURS = {"ours": "#0b6e99", "same": "#87949c", "other": "#bd9a62"}
"""Ours; the same network by other means; other methods."""

STYLE = {
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#999999",
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": QUIET,
    "ytick.color": INK,
    "svg.hashsalt": "img2imu",
}
"""For matplotlib. Figures are saved on white, so that a dark page shows a card."""


def figure_of(width: float, height: float, title: str) -> Figure:
    """An empty figure of so many inches, with a title."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height))
    figure.text(0.02, 1 - 0.22 / height, title, fontsize=12, fontweight="bold", va="center")
    return figure


def plain_ticks(axes: Axes, which: Literal["x", "y"]) -> None:
    """Numbers as people write them on a logarithmic axis."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axis.set_minor_formatter(NullFormatter())


def microseconds(value: float) -> str:
    """A figure without a unit, in thousands."""
    return f"{value:,.0f}"

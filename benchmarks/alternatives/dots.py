"""Figures with a row for each way: what a decision takes, memory and start."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from benchmarks.alternatives.cost import Spread
from benchmarks.alternatives.results import Results
from benchmarks.alternatives.style import COLOURS, FAINT, QUIET, figure_of, microseconds, plain_ticks
from benchmarks.alternatives.ways import find

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LEGEND = {"ours": "img2imu-edge", "same": "the same network by other means", "other": "other methods"}


def cost(results: Results) -> Figure:
    """CPU of a decision."""
    figure = figure_of(8.4, 0.27 * len(results.costs) + 1.4, "CPU for one decision, all threads")
    axes = figure.add_axes((0.37, 0.18, 0.61, 0.73))
    _dots(axes, results, [cost.cpu_us for cost in results.costs], microseconds)
    axes.set_xlabel("µs, logarithmic; median, and without the lowest and the highest tenth", color=QUIET)
    _legend(figure)
    return figure


def start(results: Results) -> Figure:
    """Memory, and from a fresh process to the first decision."""
    title = "Memory, and from a fresh process to the first decision"
    figure = figure_of(10.0, 0.27 * len(results.costs) + 1.4, title)
    memory = figure.add_axes((0.31, 0.18, 0.33, 0.73))
    sizes = [Spread(cost.memory_mb, cost.memory_mb, cost.memory_mb) for cost in results.costs]
    _dots(memory, results, sizes, lambda mb: f"{mb:.0f}")
    memory.set_xlabel("MB above an idle interpreter, logarithmic", color=QUIET)
    start = figure.add_axes((0.66, 0.18, 0.33, 0.73))
    _dots(start, results, [cost.start_s for cost in results.costs], lambda seconds: f"{seconds:.2f}")
    start.set_xlabel("seconds, logarithmic", color=QUIET)
    start.tick_params(labelleft=False)
    _legend(figure)
    return figure


def _names(results: Results) -> list[str]:
    entries = [find(cost.name) for cost in results.costs]
    return [f"{entry.words} · {entry.network}" for entry in entries]


def _dots(axes: Axes, results: Results, spreads: list[Spread], write: Callable[[float], str]) -> None:
    """A dot for each way with its spread and its figure, on a logarithmic axis.

    No bars: they would be as long as the axis happens to begin.
    """
    axes.set_xscale("log")
    for row, (cost, spread) in enumerate(zip(results.costs, spreads, strict=True)):
        kind = find(cost.name).kind
        weight = "bold" if kind == "ours" else "normal"
        axes.plot((spread.low, spread.high), (row, row), color=COLOURS[kind], lw=4, alpha=0.35)
        axes.plot(spread.median, row, "o", color=COLOURS[kind], ms=8, mec="white", mew=0.8)
        axes.annotate(
            write(spread.median),
            (max(spread.high, spread.median), row),
            (8, 0),
            textcoords="offset points",
            va="center_baseline",
            weight=weight,
        )
    values = [spread.median for spread in spreads]
    axes.set_xlim(min(values) / 1.5, max(values) * 2.4)
    axes.set_ylim(len(values) - 0.4, -0.6)
    axes.set_yticks(range(len(values)), _names(results))
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x", color=FAINT, lw=0.7)
    axes.grid(axis="y", color="#f3f3f3", lw=0.7)
    axes.set_axisbelow(True)
    plain_ticks(axes, "x")


def _legend(figure: Figure) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=COLOURS[kind], marker="o", lw=0, ms=8, label=words)
        for kind, words in _LEGEND.items()
    ]
    figure.legend(handles=handles, loc="lower center", ncols=3, frameon=False)

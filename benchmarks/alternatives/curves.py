"""Figures of ours alone: parts of a decision, many wearables, growth."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.alternatives.files import engine_of, size_of
from benchmarks.alternatives.results import Results
from benchmarks.alternatives.split import STAGES
from benchmarks.alternatives.style import COLOURS, FAINT, QUIET, figure_of, microseconds, plain_ticks

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_STAGES = dict(zip(STAGES, ("#0b6e99", "#2f97c1", "#8cc7e0", "#c9ced2", "#e0a458", "#9c7a4f"), strict=True))
_STAGE_WORDS = {
    "resample": "to the grid",
    "columns": "new columns",
    "picture": "picture",
    "network": "network",
    "decision": "decision",
    "session": "the rest of the session",
}


def split(results: Results) -> Figure:
    """Where the time of our decision goes."""
    figure = figure_of(8.0, 2.7, "Where the time of our decision goes")
    axes = figure.add_axes((0.14, 0.34, 0.83, 0.5))
    for row, split in enumerate(results.splits):
        left = 0.0
        for stage, colour in _STAGES.items():
            label = _STAGE_WORDS[stage] if row == 0 else None
            axes.barh(row, split.stages[stage], left=left, color=colour, height=0.62, label=label)
            left += split.stages[stage]
        axes.annotate(microseconds(left), (left, row), (4, 0), textcoords="offset points", va="center")
    axes.set_yticks(range(len(results.splits)), [_words(split.network) for split in results.splits])
    axes.invert_yaxis()
    axes.margins(x=0.1)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("µs of CPU", color=QUIET)
    axes.legend(loc="upper center", bbox_to_anchor=(0.45, -0.32), ncols=6, frameon=False, columnspacing=1.1)
    return figure


def fleet(results: Results) -> Figure:
    """Decisions a second from one core."""
    figure = figure_of(8.0, 3.9, "Decisions a second from one core")
    axes = figure.add_axes((0.09, 0.14, 0.7, 0.74))
    networks = list(dict.fromkeys(fleet.network for fleet in results.fleets))
    shades = dict(zip(networks, ("#0b6e99", "#3fa7d6", "#a44a3f", "#d98c7e"), strict=False))
    ends: dict[str, float] = {}
    for network in networks:
        fleets = [fleet for fleet in results.fleets if fleet.network == network]
        sizes = [fleet.wearables for fleet in fleets]
        axes.fill_between(
            sizes, [f.together.low for f in fleets], [f.together.high for f in fleets],
            color=shades[network], alpha=0.15, lw=0,
        )  # fmt: skip
        axes.plot(sizes, [f.together.median for f in fleets], "o-", color=shades[network], lw=2.2, ms=4)
        axes.plot(sizes, [f.one_by_one.median for f in fleets], ":", color=shades[network], lw=1.4)
        axes.plot(sizes, [f.adrift.median for f in fleets], "--", color=shades[network], lw=1.2)
        ends[network] = fleets[-1].together.median
    top = 1.08 * max(fleet.together.high for fleet in results.fleets)
    axes.set_ylim(0, top)
    for network, place in _apart(ends, top / 16).items():
        axes.annotate(
            _words(network),
            (sizes[-1], place),
            (10, 0),
            textcoords="offset points",
            va="center",
            color=shades[network],
            weight="bold",
        )
    axes.axhline(1000, color=QUIET, lw=0.9)
    axes.text(1, 970, "the aim", color=QUIET, va="top", fontsize=8)
    axes.set_xscale("log", base=2)
    axes.set_xticks(sizes, [str(size) for size in sizes])
    axes.grid(axis="y", color=FAINT, lw=0.7)
    axes.set_xlabel("wearables; dotted: a run of the network for each; dashed: clocks adrift", color=QUIET)
    return figure


def _apart(places: dict[str, float], gap: float) -> dict[str, float]:
    """Places of names, moved up where they would stand on each other."""
    moved: dict[str, float] = {}
    for name, place in sorted(places.items(), key=lambda pair: pair[1]):
        moved[name] = max(place, max(moved.values(), default=-gap) + gap)
    return moved


def growth(results: Results) -> Figure:
    """The front-end over window and rate."""
    figure = figure_of(9.4, 3.7, "The front-end alone, for one decision")
    windows = sorted((g for g in results.growths if g.rate == 50.0), key=lambda g: g.window_s)
    rates = sorted((g for g in results.growths if g.window_s == 5.0), key=lambda g: g.rate)
    panels = (
        (0.075, windows, [g.window_s for g in windows], "seconds of the window, at 50 Hz"),
        (0.455, rates, [g.rate for g in rates], "Hz, with a window of 5 s"),
    )
    ways = {
        "streaming": ("img2imu-edge, streaming", COLOURS["ours"], 2.4),
        "anew": ("the same, all anew", "#7d8b94", 1.5),
        "plain": ("SciPy and Pillow", "#b3a184", 1.5),
    }
    every = [spread for g in results.growths for spread in (g.streaming, g.anew, g.plain)]
    low, high = min(spread.low for spread in every), max(spread.high for spread in every)
    for left, growths, places, label in panels:
        axes = figure.add_axes((left, 0.15, 0.33, 0.72))
        for name, (words, colour, width) in ways.items():
            spreads = [getattr(growth, name) for growth in growths]
            axes.fill_between(
                places, [s.low for s in spreads], [s.high for s in spreads], color=colour, alpha=0.15, lw=0
            )
            axes.plot(places, [s.median for s in spreads], "o-", color=colour, lw=width, ms=4)
            if left > 0.3:
                axes.annotate(
                    words, (places[-1], spreads[-1].median), (8, 0), textcoords="offset points", va="center",
                    color=colour, weight="bold" if name == "streaming" else "normal",
                )  # fmt: skip
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xticks(places, [f"{place:g}" for place in places])
        axes.minorticks_off()
        plain_ticks(axes, "y")
        axes.set_ylim(low / 1.2, high * 1.2)
        axes.grid(axis="y", color=FAINT, lw=0.7)
        axes.set_xlabel(label, color=QUIET)
    figure.axes[0].set_ylabel("µs of CPU, logarithmic", color=QUIET)
    return figure


def _words(network: str) -> str:
    return f"{size_of(network)}, {engine_of(network)}"

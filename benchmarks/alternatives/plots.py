"""The figures: ours stand out, everything else is quiet; the same results give the same bytes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from benchmarks.alternatives.cost import Spread
from benchmarks.alternatives.results import Results
from benchmarks.alternatives.split import STAGES
from benchmarks.alternatives.ways import find
from img2imu_edge.errors import MissingExtraError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_INK, _QUIET, _FAINT = "#222222", "#666666", "#e3e3e3"
COLOURS = {"ours": "#0b6e99", "same": "#a9b4bb", "other": "#d8c3a5"}
"""Ours; the same network by other means; other methods."""

_LEGEND = {"ours": "img2imu-edge", "same": "the same network by other means", "other": "other methods"}
_STAGES = dict(zip(STAGES, ("#0b6e99", "#2f97c1", "#8cc7e0", "#c9ced2", "#e0a458", "#9c7a4f"), strict=True))
_STAGE_WORDS = {
    "resample": "to the grid",
    "columns": "new columns",
    "picture": "picture",
    "network": "network",
    "decision": "decision",
    "session": "the rest of the session",
}

_STYLE = {
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#999999",
    "axes.labelcolor": _INK,
    "text.color": _INK,
    "xtick.color": _QUIET,
    "ytick.color": _INK,
    "svg.hashsalt": "img2imu",
}


def save_plots(results: Results, folder: Path, suffixes: tuple[str, ...] = (".svg",)) -> list[Path]:
    """Draw all figures.

    Args:
        results: Of a run.
        folder: Where to put them.
        suffixes: Kinds of file.

    Raises:
        MissingExtraError: If matplotlib is not installed.
    """
    try:
        import matplotlib as mpl
    except ImportError as error:
        raise MissingExtraError(
            "plots need matplotlib; install it with: pip install 'img2imu-edge[benchmark]'"
        ) from error
    folder.mkdir(parents=True, exist_ok=True)
    figures = {"cost": _cost, "start": _start, "split": _split, "fleet": _fleet, "growth": _growth}
    made = []
    with mpl.rc_context(cast(Any, _STYLE)):
        for name, draw in figures.items():
            figure = draw(results)
            for suffix in suffixes:
                made.append(folder / f"{name}{suffix}")
                dated = {"metadata": {"Date": None}} if suffix == ".svg" else {"dpi": 110}
                figure.savefig(made[-1], facecolor="white", **cast(Any, dated))
    return made


def _figure(width: float, height: float, title: str) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height))
    figure.text(0.02, 1 - 0.22 / height, title, fontsize=12, fontweight="bold", va="center")
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
    axes.grid(axis="x", color=_FAINT, lw=0.7)
    axes.grid(axis="y", color="#f3f3f3", lw=0.7)
    axes.set_axisbelow(True)
    _plain_ticks(axes, "x")


def _plain_ticks(axes: Axes, which: Literal["x", "y"]) -> None:
    """Numbers as people write them on a logarithmic axis."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axis.set_minor_formatter(NullFormatter())


def _legend(figure: Figure) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=COLOURS[kind], marker="o", lw=0, ms=8, label=words)
        for kind, words in _LEGEND.items()
    ]
    figure.legend(handles=handles, loc="lower center", ncols=3, frameon=False)


def _cost(results: Results) -> Figure:
    figure = _figure(8.4, 0.27 * len(results.costs) + 1.4, "CPU for one decision, all threads")
    axes = figure.add_axes((0.37, 0.18, 0.61, 0.73))
    _dots(axes, results, [cost.cpu_us for cost in results.costs], _microseconds)
    axes.set_xlabel("µs, logarithmic; median, and without the lowest and the highest tenth", color=_QUIET)
    _legend(figure)
    return figure


def _start(results: Results) -> Figure:
    title = "Memory, and from a fresh process to the first decision"
    figure = _figure(10.0, 0.27 * len(results.costs) + 1.4, title)
    memory = figure.add_axes((0.31, 0.18, 0.33, 0.73))
    sizes = [Spread(cost.memory_mb, cost.memory_mb, cost.memory_mb) for cost in results.costs]
    _dots(memory, results, sizes, lambda mb: f"{mb:.0f}")
    memory.set_xlabel("MB above an idle interpreter, logarithmic", color=_QUIET)
    start = figure.add_axes((0.66, 0.18, 0.33, 0.73))
    _dots(start, results, [cost.start_s for cost in results.costs], lambda seconds: f"{seconds:.2f}")
    start.set_xlabel("seconds, logarithmic", color=_QUIET)
    start.tick_params(labelleft=False)
    _legend(figure)
    return figure


def _split(results: Results) -> Figure:
    figure = _figure(8.0, 2.7, "Where the time of our decision goes")
    axes = figure.add_axes((0.14, 0.34, 0.83, 0.5))
    for row, split in enumerate(results.splits):
        left = 0.0
        for stage, colour in _STAGES.items():
            label = _STAGE_WORDS[stage] if row == 0 else None
            axes.barh(row, split.stages[stage], left=left, color=colour, height=0.62, label=label)
            left += split.stages[stage]
        axes.annotate(_microseconds(left), (left, row), (4, 0), textcoords="offset points", va="center")
    axes.set_yticks(range(len(results.splits)), [_network(split.network) for split in results.splits])
    axes.invert_yaxis()
    axes.margins(x=0.1)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("µs of CPU", color=_QUIET)
    axes.legend(loc="upper center", bbox_to_anchor=(0.45, -0.32), ncols=6, frameon=False, columnspacing=1.1)
    return figure


def _fleet(results: Results) -> Figure:
    figure = _figure(8.0, 3.9, "Decisions a second from one core")
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
        ends[network] = fleets[-1].together.median
    top = 1.08 * max(fleet.together.high for fleet in results.fleets)
    axes.set_ylim(0, top)
    for network, place in _apart(ends, top / 16).items():
        axes.annotate(
            _network(network),
            (sizes[-1], place),
            (10, 0),
            textcoords="offset points",
            va="center",
            color=shades[network],
            weight="bold",
        )
    axes.axhline(1000, color=_QUIET, lw=0.9, ls="--")
    axes.text(1, 970, "the aim", color=_QUIET, va="top", fontsize=8)
    axes.set_xscale("log", base=2)
    axes.set_xticks(sizes, [str(size) for size in sizes])
    axes.grid(axis="y", color=_FAINT, lw=0.7)
    axes.set_xlabel("wearables; dotted: a run of the network for each", color=_QUIET)
    return figure


def _apart(places: dict[str, float], gap: float) -> dict[str, float]:
    """Places of names, moved up where they would stand on each other."""
    moved: dict[str, float] = {}
    for name, place in sorted(places.items(), key=lambda pair: pair[1]):
        moved[name] = max(place, max(moved.values(), default=-gap) + gap)
    return moved


def _growth(results: Results) -> Figure:
    figure = _figure(9.4, 3.7, "The front-end alone, for one decision")
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
        _plain_ticks(axes, "y")
        axes.set_ylim(low / 1.2, high * 1.2)
        axes.grid(axis="y", color=_FAINT, lw=0.7)
        axes.set_xlabel(label, color=_QUIET)
    figure.axes[0].set_ylabel("µs of CPU, logarithmic", color=_QUIET)
    return figure


def _network(name: str) -> str:
    size, kind = name.split("-")
    return f"{size}, {'TFLite' if kind == 'tflite' else 'ONNX'}"


def _microseconds(value: float) -> str:
    return f"{value:,.0f}"

"""The figures: ours stand out, everything else is quiet; the same results give the same bytes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

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


def _bars(axes: Axes, results: Results, values: list[float], write: Callable[[float], str]) -> None:
    """A bar for each way, its figure at the end, on a logarithmic axis."""
    axes.set_xscale("log")
    left = min(values) / 1.6
    for row, (cost, value) in enumerate(zip(results.costs, values, strict=True)):
        kind = find(cost.name).kind
        axes.barh(row, value - left, left=left, height=0.68, color=COLOURS[kind])
        weight = "bold" if kind == "ours" else "normal"
        axes.annotate(
            write(value), (value, row), (4, 0), textcoords="offset points", va="center", weight=weight
        )
    axes.set_xlim(left, max(values) * 2.6)
    axes.set_ylim(len(values) - 0.4, -0.6)
    axes.set_yticks(range(len(values)), _names(results))
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x", color=_FAINT, lw=0.7)
    axes.set_axisbelow(True)


def _legend(figure: Figure, axes: Axes) -> None:
    from matplotlib.patches import Patch

    handles = [Patch(color=COLOURS[kind], label=words) for kind, words in _LEGEND.items()]
    axes.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.4, -0.11), ncols=3, frameon=False)


def _cost(results: Results) -> Figure:
    figure = _figure(8.0, 0.27 * len(results.costs) + 1.3, "CPU for one decision, all threads (median)")
    axes = figure.add_axes((0.37, 0.17, 0.6, 0.73))
    _bars(axes, results, [cost.cpu_us.median for cost in results.costs], _microseconds)
    for row, cost in enumerate(results.costs):
        axes.plot((cost.cpu_us.low, cost.cpu_us.high), (row, row), color=_INK, lw=0.9, alpha=0.55)
    axes.set_xlabel(
        "µs, logarithmic; thin line: from the lowest to the highest tenth of the turns", color=_QUIET
    )
    _legend(figure, axes)
    return figure


def _start(results: Results) -> Figure:
    figure = _figure(
        9.6, 0.27 * len(results.costs) + 1.3, "Memory, and from a fresh process to the first decision"
    )
    memory = figure.add_axes((0.31, 0.17, 0.33, 0.73))
    _bars(memory, results, [cost.memory_mb for cost in results.costs], lambda mb: f"{mb:.0f}")
    memory.set_xlabel("MB above an idle interpreter, logarithmic", color=_QUIET)
    start = figure.add_axes((0.66, 0.17, 0.33, 0.73))
    _bars(start, results, [cost.start_s.median for cost in results.costs], lambda seconds: f"{seconds:.2f}")
    start.set_xlabel("seconds, logarithmic", color=_QUIET)
    start.tick_params(labelleft=False)
    _legend(figure, memory)
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
    for network in networks:
        fleets = [fleet for fleet in results.fleets if fleet.network == network]
        sizes = [fleet.wearables for fleet in fleets]
        axes.fill_between(
            sizes, [f.together.low for f in fleets], [f.together.high for f in fleets],
            color=shades[network], alpha=0.15, lw=0,
        )  # fmt: skip
        axes.plot(sizes, [f.together.median for f in fleets], "o-", color=shades[network], lw=2.2, ms=4)
        axes.plot(sizes, [f.one_by_one.median for f in fleets], ":", color=shades[network], lw=1.4)
        last = (sizes[-1], fleets[-1].together.median)
        axes.annotate(
            _network(network), last, (8, 0), textcoords="offset points", va="center",
            color=shades[network], weight="bold",
        )  # fmt: skip
    axes.axhline(1000, color=_QUIET, lw=0.9, ls="--")
    axes.text(1, 1000, "the aim", color=_QUIET, va="bottom", fontsize=8)
    axes.set_xscale("log", base=2)
    axes.set_xticks(sizes, [str(size) for size in sizes])
    axes.set_ylim(bottom=0)
    axes.grid(axis="y", color=_FAINT, lw=0.7)
    axes.set_xlabel("wearables; dotted: a run of the network for each", color=_QUIET)
    return figure


def _growth(results: Results) -> Figure:
    figure = _figure(8.6, 3.7, "The front-end alone, for one decision")
    windows = sorted((g for g in results.growths if g.rate == 50.0), key=lambda g: g.window_s)
    rates = sorted((g for g in results.growths if g.window_s == 5.0), key=lambda g: g.rate)
    panels = (
        (0.08, windows, [g.window_s for g in windows], "seconds of the window, at 50 Hz"),
        (0.48, rates, [g.rate for g in rates], "Hz, with a window of 5 s"),
    )
    ways = {
        "streaming": ("img2imu-edge, streaming", COLOURS["ours"], 2.4),
        "anew": ("the same, all anew", "#7d8b94", 1.5),
        "plain": ("SciPy and Pillow", "#b3a184", 1.5),
    }
    for left, growths, places, label in panels:
        axes = figure.add_axes((left, 0.15, 0.35, 0.72))
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
        axes.grid(axis="y", color=_FAINT, lw=0.7)
        axes.set_xlabel(label, color=_QUIET)
    figure.axes[0].set_ylabel("µs of CPU, logarithmic", color=_QUIET)
    return figure


def _network(name: str) -> str:
    size, kind = name.split("-")
    return f"{size}, {'TFLite' if kind == 'tflite' else 'ONNX'}"


def _microseconds(value: float) -> str:
    return f"{value:,.0f}"

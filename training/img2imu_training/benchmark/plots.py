"""Curves over the label budget: the mean of all tasks large, with the names of its lines, each task small.

Ours stand out; the band is the standard deviation over seeds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from img2imu_edge.extras import extra
from img2imu_training.benchmark.curves import Curve, choose, course, positions
from img2imu_training.benchmark.labels import write_names
from img2imu_training.benchmark.summary import Scores

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_INK, _QUIET, _FAINT = "#222222", "#666666", "#dddddd"

_STYLE = {
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.edgecolor": "#999999",
    "axes.labelcolor": _INK,
    "text.color": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "ytick.left": False,
    "svg.hashsalt": "img2imu",  # the same results give the same bytes
}

# Inches. The names of lines stand between the large panel and the small ones.
_HEIGHT, _LEFT, _MAIN, _SMALL, _SMALL_LEFT, _STEP = 5.4, 0.45, 3.7, 1.75, 6.55, 1.9


def save_curves(summary: Sequence[Scores], path: Path) -> tuple[Path, Path]:
    """Draw the curves into `path` with the suffixes `.svg` and `.png`.

    Args:
        summary: From `summarise`; not empty.
        path: Without suffix.

    Returns:
        The two files.

    Raises:
        MissingExtraError: If matplotlib is not installed.
    """
    with extra("benchmark", "a plot"):
        import matplotlib as mpl
    vector, pixels = path.with_suffix(".svg"), path.with_suffix(".png")
    with mpl.rc_context(cast(Any, _STYLE)):
        figure = draw(summary)
        figure.savefig(vector, metadata={"Date": None}, facecolor="white")
        figure.savefig(pixels, dpi=160, facecolor="white")
    return vector, pixels


def draw(summary: Sequence[Scores]) -> Figure:
    """The figure: the mean large, its lines named; every task small beside it."""
    from matplotlib.figure import Figure

    curves, tasks, seeds = choose(summary), summary[0].tasks, len(summary[0].seeds)
    shared = tuple(task for task in tasks if all(task in scores.shared for scores in summary)) or tasks
    small = tasks if len(tasks) > 1 else ()
    wide = math.ceil(len(small) / 2)
    width = _SMALL_LEFT + _STEP * wide
    figure = Figure(figsize=(width, _HEIGHT))
    bottom = _below(summary, curves, (*((task,) for task in tasks), shared))
    for number, task in enumerate(small):
        row, column = divmod(number, wide)
        left = (_SMALL_LEFT + _STEP * column) / width
        axes = figure.add_axes((left, (0.51, 0.1)[row], _SMALL / width, 0.31))
        _panel(axes, summary, curves, (task,), small=True)
        axes.set_ylim(bottom, 100)
        axes.set_yticks(range(20 * math.ceil(bottom / 20), 101, 20))
        axes.set_title(task, loc="left", fontsize=9.5, pad=5)
        axes.tick_params(labelsize=7.5, labelleft=column == 0)
    main = figure.add_axes((_LEFT / width, 0.1, _MAIN / width, 0.72))
    _panel(main, summary, curves, shared, small=False)
    main.set_ylim(bottom, 100)
    main.set_yticks(range(bottom, 101, 10))
    main.set_title(_mean_title(tasks, shared), loc="left", fontsize=9.5, pad=5)
    main.set_xlabel("labelled windows per class")
    courses = [(curve, course(summary, number, shared)[0]) for number, curve in enumerate(curves)]
    write_names(main, positions([scores.budget for scores in summary]), courses)
    figure.text(
        _LEFT / width, 0.94, "Macro-F1 in % on people not seen before", fontsize=14, fontweight="bold"
    )
    figure.text(_LEFT / width, 0.9, _reading(curves, seeds), fontsize=9.5, color=_QUIET)
    return figure


def _panel(
    axes: Axes, summary: Sequence[Scores], curves: Sequence[Curve], tasks: tuple[str, ...], small: bool
) -> None:
    budgets = [scores.budget for scores in summary]
    places = positions(budgets)
    few = np.array([budget is not None for budget in budgets])
    last_few = places == places[few].max(initial=-np.inf)
    scale = 0.65 if small else 1.0
    for number, curve in reversed(list(enumerate(curves))):
        middle, spread = course(summary, number, tasks)
        there = np.isfinite(middle)
        width = (2.6 if curve.ours else 1.7 if curve.named else 0.9) * scale
        level = 4.0 if curve.ours else 3.0 if curve.named else 2.0
        line: dict[str, Any] = {"color": curve.colour, "lw": width, "zorder": level}
        axes.plot(places[there & few], middle[there & few], solid_capstyle="round", **line)
        # All labels are no number: the way there is dotted.
        beyond = there & (~few | last_few)
        axes.plot(places[beyond], middle[beyond], ":", **line)
        if curve.named:
            dots: dict[str, Any] = {"color": curve.colour, "mec": "white", "mew": 0.8 * scale}
            size = (6.5 if curve.ours else 5.0) * scale
            axes.plot(places[there], middle[there], curve.marker, ms=size, zorder=level + 0.5, **dots)
        if curve.best and (curve.ours or not small):
            banded = there & few & np.isfinite(spread)
            low, high = (middle - spread)[banded], (middle + spread)[banded]
            opacity = 0.2 if curve.ours else 0.08
            axes.fill_between(places[banded], low, high, color=curve.colour, alpha=opacity, lw=0, zorder=1)
    axes.set_xticks(places, ["all" if budget is None else str(budget) for budget in budgets])
    axes.margins(x=0.04)
    axes.grid(axis="y", color=_FAINT, lw=0.7)
    axes.set_axisbelow(True)


def _below(summary: Sequence[Scores], curves: Sequence[Curve], panels: Sequence[tuple[str, ...]]) -> int:
    """The next ten below every point."""
    points = np.array(
        [course(summary, number, tasks)[0] for tasks in panels for number in range(len(curves))]
    )
    return 10 * math.floor(float(points[np.isfinite(points)].min(initial=100.0)) / 10)


def _reading(curves: Sequence[Curve], seeds: int) -> str:
    """How to read the figure."""
    parts = ["One draw of people and windows"]
    if seeds > 1:
        parts = [f"Mean of {seeds} draws of people and windows", "band: ± one standard deviation"]
    if not all(curve.named for curve in curves):
        parts.append("thin: further methods of the same kind")
    return "; ".join(parts) + "."


def _mean_title(tasks: tuple[str, ...], shared: tuple[str, ...]) -> str:
    if len(tasks) == 1:
        return tasks[0]
    left_out = [task for task in tasks if task not in shared]
    return f"mean of {len(shared)} tasks" + (f", without {', '.join(left_out)}" if left_out else "")

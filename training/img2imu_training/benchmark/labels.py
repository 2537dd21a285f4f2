"""Names beside the ends of lines, instead of a legend: nobody has to match colours across the page."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from img2imu_training.benchmark.curves import COLOURS, MARKERS, Curve, Points

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LINE, _GAP = 0.034, 0.022
"""Height of a line of text, and room around a name, as shares of the panel's."""


def write_names(axes: Axes, places: Points, courses: Sequence[tuple[Curve, Points]]) -> None:
    """Write each named curve's name to the right of its last point, pushed apart where they come close.

    Args:
        axes: The panel, its limits set.
        places: (budgets,) where they stand.
        courses: Each curve with its points, NaN for none.
    """
    ends = []
    for curve, middle in courses:
        there = np.flatnonzero(np.isfinite(middle))
        if curve.named and len(there):
            ends.append((float(middle[there[-1]]), float(places[there[-1]]), curve))
    ends.sort(key=lambda end: end[0])
    members = Counter(curve.family for _, _, curve in ends)
    names = [_wrapped(curve, alone=members[curve.family] == 1) for _, _, curve in ends]
    low, high = axes.get_ylim()
    heights = [(_LINE * (name.count("\n") + 1) + _GAP) * (high - low) for name in names]
    spots = spread_out([end[0] for end in ends], heights, low, high)
    across = float(np.ptp(places)) or 1.0
    for (y, x, curve), name, spot in zip(ends, names, spots, strict=True):
        axes.annotate(
            name,
            xy=(x + 0.025 * across, y),
            xytext=(float(places.max()) + 0.1 * across, spot),
            color=COLOURS[curve.family],
            fontsize=8.5,
            fontweight="bold" if curve.ours else "normal",
            va="center",
            annotation_clip=False,
            linespacing=1.1,
            arrowprops={
                "arrowstyle": "-",
                "color": curve.colour,
                "lw": 0.7,
                "relpos": (0, 0.5),
                "shrinkA": 1,
                "shrinkB": 0,
            },
        )


def spread_out(wanted: Sequence[float], heights: Sequence[float], low: float, high: float) -> list[float]:
    """Places for labels near where they are wanted, none over another.

    Args:
        wanted: Where each should be, ascending.
        heights: How much room each takes, around its place.
        low: Where room begins.
        high: Where it ends; too many labels go below `low` rather than beyond it.

    Returns:
        Ascending places; labels that would overlap form a block around the middle of what they want.
    """

    def room(block: list[int]) -> float:
        return sum(heights[member] for member in block)

    def start(block: list[int]) -> float:
        middle = sum(wanted[member] for member in block) / len(block)
        return min(max(middle - room(block) / 2, low), high - room(block))

    blocks: list[list[int]] = []
    for number in range(len(wanted)):
        block = [number]
        while blocks and start(blocks[-1]) + room(blocks[-1]) > start(block):
            block = blocks.pop() + block
        blocks.append(block)
    places = []
    for block in blocks:
        begins = start(block)
        for member in block:
            places.append(begins + heights[member] / 2)
            begins += heights[member]
    return places


def _wrapped(curve: Curve, alone: bool) -> str:
    """A name in lines; its marker in front where others have the same colour. Bold letters are wider."""
    width, marker = 25 if curve.ours else 28, "" if alone else f"{MARKERS[curve.marker]} "
    return textwrap.fill(curve.name, width, initial_indent=marker, subsequent_indent="    " if marker else "")

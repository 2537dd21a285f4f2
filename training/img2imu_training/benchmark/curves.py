"""The lines of a plot: which method is named, in which colour, and where its points are.

A family has one colour, of Okabe and Ito's set that colour-blind people can tell apart. Of many methods, the
best of each family is named and the others are thin.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from img2imu_training.benchmark.methods import Family
from img2imu_training.benchmark.summary import Scores

COLOURS: dict[Family, str] = {
    "ours": "#d55e00",
    "scratch": "#cc79a7",
    "images": "#0072b2",
    "sensor": "#009e73",
    "classical": "#5f5f5f",
}
"""Vermilion, reddish purple, blue and bluish green of Okabe and Ito's set (2008), and a grey."""

MARKERS = {"o": "●", "s": "■", "^": "▲", "D": "◆", "v": "▼", "P": "✚"}
"""Of points, and how a name repeats it."""

NAMED_ALL = 6
"""Up to so many methods each have their name; of more, the best of each family, and ours."""

Points = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Curve:
    """A method's line.

    Attributes:
        name: Of the method.
        family: What it starts from.
        named: Whether it has its name beside it.
        best: Whether it is the best of its family.
        marker: Of its points, a key of `MARKERS`.
        shade: Strength of its colour, from 0 for white to 1.
    """

    name: str
    family: Family
    named: bool
    best: bool
    marker: str
    shade: float

    @property
    def ours(self) -> bool:
        """Whether the line stands out."""
        return self.family == "ours"

    @property
    def colour(self) -> str:
        """The family's colour in the curve's shade, as `#rrggbb`."""
        whole = COLOURS[self.family]
        parts = (int(whole[place : place + 2], 16) for place in (1, 3, 5))
        return "#" + "".join(f"{round(255 - self.shade * (255 - part)):02x}" for part in parts)


def choose(summary: Sequence[Scores]) -> list[Curve]:
    """A line for each method, best first."""
    first = summary[0]
    counts: dict[Family, int] = {}
    curves = []
    for name, family in zip(first.methods, first.families, strict=True):
        place = counts[family] = counts.get(family, -1) + 1
        # Methods come best first, so that the first of a family is its best.
        named = family == "ours" or place == 0 or len(first.methods) <= NAMED_ALL
        shade = 1 - 0.17 * min(place, 3) if named else 0.4
        curves.append(Curve(name, family, named, place == 0, list(MARKERS)[place % len(MARKERS)], shade))
    return curves


def positions(budgets: Sequence[int | None]) -> Points:
    """Where budgets stand: numbers by their logarithm, all labels a little apart on the right."""
    numbers = [math.log2(budget) for budget in budgets if budget is not None]
    apart = (max(numbers) if numbers else 0.0) + 1.6
    return np.array([apart if budget is None else math.log2(budget) for budget in budgets])


def course(summary: Sequence[Scores], method: int, tasks: tuple[str, ...]) -> tuple[Points, Points]:
    """Mean and spread over seeds, in %, of a method's mean over tasks, for each budget; NaN for none."""
    cells = [scores.over(method, tasks) for scores in summary]
    middle = [math.nan if cell is None else 100 * cell.mean for cell in cells]
    spread = [math.nan if cell is None else 100 * cell.spread for cell in cells]
    return np.array(middle), np.array(spread)

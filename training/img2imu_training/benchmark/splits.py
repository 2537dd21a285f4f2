"""Who teaches and who is tested: a few labelled windows of half of the people, windows of the other half.

A split depends on the windows and a seed alone, so that all methods get the same; the windows of a small
budget are among those of a larger one, so that a curve over budgets shows labels and not luck.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from img2imu_edge.errors import BenchmarkError
from img2imu_training.windows import Windows

Budget = int | None
"""Labelled windows of each class; None for all."""

BUDGETS: tuple[Budget, ...] = (1, 2, 5, 10, 20, None)

CAP = 2000
"""Most windows to test on, and to train on with all labels; more are drawn from, at random."""

_DRAWS = 1000
"""Draws of people before a split is given up."""

Index = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Split:
    """One draw of people and windows.

    Attributes:
        teachers: People whose windows may be labelled.
        others: People to test on.
        ranked: For each class the teachers' windows, in random order over people; the first k are the few.
        test: Windows of the others, at most `CAP`.
    """

    teachers: tuple[str, ...]
    others: tuple[str, ...]
    ranked: tuple[Index, ...]
    test: Index

    def train(self, budget: Budget) -> Index:
        """The labelled windows of a budget, ascending.

        A class that has fewer gives what it has. All labels are at most `CAP` windows: those of the largest
        of `BUDGETS` first, then others at random, by the share that each class has.
        """
        if budget is not None:
            return np.sort(np.concatenate([rank[:budget] for rank in self.ranked]))
        few = max(number for number in BUDGETS if number is not None)
        first = np.concatenate([rank[:few] for rank in self.ranked])
        rest = np.concatenate([rank[few:] for rank in self.ranked])
        room = max(0, CAP - len(first))
        # Each rank is in random order: a window's place in it, from 0 to 1, draws evenly from all classes.
        place = np.concatenate([_places(len(rank) - few) for rank in self.ranked])
        return np.sort(np.concatenate([first, rest[np.argsort(place, kind="stable")[:room]]]))


def split(windows: Windows, classes: int, seed: int) -> Split:
    """Draw half of the people, rounded up, to teach, and test windows of all others.

    People are drawn again, from the same seed, until both sides have windows of every class: a class that
    nobody teaches or nobody shows would turn macro-F1 into a matter of luck.

    Args:
        windows: All of a task's.
        classes: Number of classes.
        seed: Of everything that is drawn.

    Raises:
        BenchmarkError: If no draw has every class on both sides.
    """
    people = np.unique(windows.subjects)
    rng = np.random.default_rng(seed)
    for teachers in _halves(people, rng):
        teach = np.isin(windows.subjects, teachers)
        if all(len(np.unique(windows.labels[side])) == classes for side in (teach, ~teach)):
            break
    else:
        raise BenchmarkError(
            f"{len(people)} people cannot be halved so that both halves have all {classes} classes; "
            "merge rare classes, or record more people"
        )
    ranked = [rng.permutation(np.flatnonzero(teach & (windows.labels == c))) for c in range(classes)]
    test = np.sort(rng.permutation(np.flatnonzero(~teach))[:CAP])
    return Split(
        teachers=tuple(sorted(map(str, teachers))),
        others=tuple(sorted(map(str, np.setdiff1d(people, teachers)))),
        ranked=tuple(ranked),
        test=test,
    )


def _halves(people: NDArray[np.str_], rng: np.random.Generator) -> Iterator[NDArray[np.str_]]:
    for _ in range(_DRAWS):
        yield rng.permutation(people)[: (len(people) + 1) // 2]


def _places(count: int) -> NDArray[np.float64]:
    return (np.arange(max(0, count)) + 0.5) / max(1, count)

"""Results as arrays, and what is said of them: means, spreads and paired differences.

Methods met the same people and windows, so that differences are taken split by split: what a draw makes hard
for one it makes hard for all.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from img2imu_training.benchmark.methods import Family
from img2imu_training.benchmark.results import Result

_RESAMPLES = 10_000


@dataclass(frozen=True, slots=True)
class Cell:
    """A mean over seeds.

    Attributes:
        mean: Mean macro-F1.
        spread: Standard deviation (n - 1) over seeds; NaN for one seed.
        seeds: How many.
    """

    mean: float
    spread: float
    seeds: int


@dataclass(frozen=True, slots=True)
class Difference:
    """How far one method is ahead of another.

    Attributes:
        mean: Mean difference of macro-F1 over all pairs.
        low: Lower end of the 95 % interval.
        high: Upper end.
        wins: Pairs in which the first method is better.
        pairs: Splits (task and seed) on which both were measured.
    """

    mean: float
    low: float
    high: float
    wins: int
    pairs: int


@dataclass(frozen=True, slots=True)
class Scores:
    """Macro-F1 of all methods under one budget.

    Attributes:
        budget: Labelled windows of each class; None for all.
        tasks: Name of each task.
        methods: Name of each method.
        families: What each method starts from.
        seeds: Each seed.
        values: (methods, tasks, seeds) macro-F1; NaN where there is none.
    """

    budget: int | None
    tasks: tuple[str, ...]
    methods: tuple[str, ...]
    families: tuple[Family, ...]
    seeds: tuple[int, ...]
    values: NDArray[np.float64]

    @property
    def shared(self) -> tuple[str, ...]:
        """Tasks on which every method was measured."""
        measured = np.isfinite(self.values)
        return tuple(task for number, task in enumerate(self.tasks) if measured[:, number].any(axis=1).all())

    def over(self, method: int, tasks: tuple[str, ...]) -> Cell | None:
        """Mean over tasks within each seed, then over the seeds that have them all; None without a seed."""
        places = [self.tasks.index(task) for task in tasks]
        if not places:
            return None
        by_seed = self.values[method, places].mean(axis=0)
        by_seed = by_seed[np.isfinite(by_seed)]
        if not len(by_seed):
            return None
        spread = float(by_seed.std(ddof=1)) if len(by_seed) > 1 else float("nan")
        return Cell(float(by_seed.mean()), spread, len(by_seed))

    def best(self, family: Family) -> int | None:
        """The family's method with the highest mean over the shared tasks."""
        ranked = [
            (cell.mean, method)
            for method, its in enumerate(self.families)
            if its == family and (cell := self.over(method, self.shared))
        ]
        return max(ranked)[1] if ranked else None

    def difference(self, first: int, second: int) -> Difference | None:
        """How far the first method is ahead of the second, on the splits that both have.

        The interval is the percentile bootstrap (Efron and Tibshirani, 1993, ch. 13) over these pairs.
        """
        pairs = (self.values[first] - self.values[second]).ravel()
        pairs = pairs[np.isfinite(pairs)]
        if not len(pairs):
            return None
        drawn = np.random.default_rng(0).integers(0, len(pairs), (_RESAMPLES, len(pairs)))
        low, high = np.percentile(pairs[drawn].mean(axis=1), [2.5, 97.5])
        wins = int((pairs > 0).sum())
        return Difference(float(pairs.mean()), float(low), float(high), wins, len(pairs))


def summarise(results: Iterable[Result], axes: int = 3) -> list[Scores]:
    """Scores by budget, the smallest first and all labels last.

    Tasks come in the order of the results, methods with the best mean over the shared tasks of all budgets
    first. Results without a score are left out.

    Args:
        results: What was measured.
        axes: Which results: 3, or 6 with the gyroscope.

    Returns:
        Scores of the same tasks, methods and seeds for each budget; empty without any score.
    """
    kept = [result for result in results if result.axes == axes and result.macro_f1 is not None]
    if not kept:
        return []
    tasks = tuple(dict.fromkeys(result.task for result in kept))
    families = {result.method: result.family for result in kept}
    seeds = tuple(sorted({result.seed for result in kept}))
    budgets = sorted({result.budget for result in kept}, key=lambda budget: (budget is None, budget or 0))
    methods = tuple(families)
    values = np.full((len(budgets), len(methods), len(tasks), len(seeds)), np.nan)
    for result in kept:
        place = (methods.index(result.method), tasks.index(result.task), seeds.index(result.seed))
        values[(budgets.index(result.budget), *place)] = result.macro_f1
    order = _ranking(values)
    methods = tuple(methods[place] for place in order)
    named = tuple(families[method] for method in methods)
    return [
        Scores(budget, tasks, methods, named, seeds, values[number][order])
        for number, budget in enumerate(budgets)
    ]


def _ranking(values: NDArray[np.float64]) -> list[int]:
    """Places of the methods (axis 1), best first, by what all of them were measured on."""
    by_method = values.swapaxes(0, 1).reshape(values.shape[1], -1)
    everywhere = np.isfinite(by_method).all(axis=0)
    if not everywhere.any():
        return list(range(len(by_method)))
    means = by_method[:, everywhere].mean(axis=1)
    return [int(place) for place in np.argsort(-means, kind="stable")]

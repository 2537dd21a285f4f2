"""The runner: every method on every task, budget and seed, each result written as soon as it is there.

Seeds are outermost, so that a run that was stopped has compared all methods equally often, or nearly so.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.metadata import PackageNotFoundError, version
from itertools import product
from pathlib import Path

import threadpoolctl
import torch

from img2imu_edge.errors import BenchmarkError
from img2imu_training.benchmark.methods import Method
from img2imu_training.benchmark.methods.registry import Surroundings, find_method, runs_on
from img2imu_training.benchmark.results import Key, Result, ResultsFile
from img2imu_training.benchmark.splits import Budget, Split, split
from img2imu_training.benchmark.tasks import Task, TaskData, load_task, task_spec
from img2imu_training.evaluate import macro_f1

_PACKAGES = ("img2imu-edge", "numpy", "scikit-learn", "torch", "aeon")


@dataclass(frozen=True, slots=True)
class Benchmark:
    """What is to be compared.

    Attributes:
        tasks: From `find_tasks`.
        methods: As `find_method` reads them.
        budgets: Labelled windows of each class.
        seeds: Each draws its people and windows.
        data: Folder of the `.npz` corpora.
        cache: Folder for what methods learn once.
    """

    tasks: tuple[Task, ...]
    methods: tuple[str, ...]
    budgets: tuple[Budget, ...]
    seeds: tuple[int, ...]
    data: Path | None
    cache: Path


@dataclass(frozen=True, slots=True)
class Group:
    """Work that shares a method, a split and therefore features: what one process does in one go.

    Attributes:
        task: The task.
        method: As `find_method` reads it.
        seed: Of the split and the method.
        budgets: Those still to be done.
        data: Folder of the `.npz` corpora.
        cache: Folder for what methods learn once.
    """

    task: Task
    method: str
    seed: int
    budgets: tuple[Budget, ...]
    data: Path | None
    cache: Path


def plan(benchmark: Benchmark, done: set[Key]) -> list[Group]:
    """What is still to be done, in order.

    Methods are left out on corpora that they have learned from.

    Raises:
        BenchmarkError: If a task or method is not known or cannot be had, or two methods have one name.
    """
    names: dict[str, str] = {}
    groups = []
    for seed, task, text in product(benchmark.seeds, benchmark.tasks, benchmark.methods):
        if not runs_on(text, task.corpus):
            continue
        name = _method(text, task, benchmark.data, benchmark.cache).name
        if names.setdefault(name, text) != text:
            raise BenchmarkError(f"{names[name]} and {text} are both called {name!r}; give one another label")
        keys = {budget: (task.name, name, len(task.channels), budget, seed) for budget in benchmark.budgets}
        budgets = tuple(budget for budget, key in keys.items() if key not in done)
        if budgets:
            groups.append(Group(task, text, seed, budgets, benchmark.data, benchmark.cache))
    return groups


def run(groups: list[Group], file: ResultsFile, jobs: int = 1) -> Iterator[Result]:
    """Do the work; an error of a method becomes its result, and the rest goes on.

    Args:
        groups: From `plan`.
        file: Where results are appended.
        jobs: Processes, of one thread each.

    Yields:
        Each result, once it is in the file.

    Raises:
        BenchmarkError: If a task has no data or no split.
        RecordingError: If a corpus cannot be read.
    """
    for result in _results(groups, jobs):
        file.append(result)
        yield result


def _results(groups: list[Group], jobs: int) -> Iterator[Result]:
    if jobs <= 1:
        for group in groups:
            yield from results_of_group(group)
        return
    # Fresh processes: a forked copy of a process that has used torch's threads can hang.
    with multiprocessing.get_context("spawn").Pool(min(jobs, max(1, len(groups)))) as pool:
        for results in pool.imap_unordered(_listed, groups):
            yield from results


def results_of_group(group: Group) -> Iterator[Result]:
    """Prepare a method, then one result for each budget."""
    torch.set_num_threads(1)
    with threadpoolctl.threadpool_limits(1):
        data, drawn = _windows(group.task, group.data), _split(group.task, group.data, group.seed)
        method = _method(group.method, group.task, group.data, group.cache)
        test = data.windows.take(drawn.test)
        failed: str | None = None
        try:
            method.prepare(data.rate)
        except Exception as error:
            failed = _told(error)
        for budget in group.budgets:
            train = data.windows.take(drawn.train(budget))
            start, score, message = time.perf_counter(), None, failed
            if failed is None:
                try:
                    named = method.predict(train, test, data.rate, len(data.classes), group.seed)
                    score = macro_f1(test.labels, named, len(data.classes))
                except Exception as error:
                    message = _told(error)
            yield Result(
                task=group.task.name,
                method=method.name,
                family=method.family,
                axes=len(group.task.channels),
                budget=budget,
                seed=group.seed,
                macro_f1=score,
                seconds=round(time.perf_counter() - start, 3),
                train_windows=len(train),
                test_windows=len(test),
                versions=_versions(),
                error=message,
            )


def _listed(group: Group) -> list[Result]:
    return list(results_of_group(group))


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


@lru_cache
def _windows(task: Task, data: Path | None) -> TaskData:
    return load_task(task, data)


@lru_cache(maxsize=8)
def _split(task: Task, data: Path | None, seed: int) -> Split:
    loaded = _windows(task, data)
    return split(loaded.windows, len(loaded.classes), seed)


@cache
def _method(text: str, task: Task, data: Path | None, kept: Path) -> Method:
    """One instance a task, so that what it has prepared serves all seeds."""
    return find_method(text, Surroundings(task_spec(task), data, kept))


@lru_cache
def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found

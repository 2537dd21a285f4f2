"""The tasks: whose motion, cut into which windows, and the picture that goes with their length.

All are worn on the wrist, but for motionsense (trouser pocket). Windows last five seconds; the events of
`sp_sw_watch` last two, so its windows and its picture take half of that.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from img2imu_edge.errors import BenchmarkError
from img2imu_edge.samples import ACCELEROMETER, GYROSCOPE
from img2imu_edge.spec import SpectrogramSpec
from img2imu_edge.spectrogram import SpectrogramPlan
from img2imu_training import spar
from img2imu_training.recordings import NO_LABEL, Corpus, read_npz
from img2imu_training.windows import Windows, cut, window_samples

PICTURE = "motion"

WINDOW_S = 5.0
"""Seconds of motion behind the `motion` preset's picture of 35 columns."""


@dataclass(frozen=True, slots=True)
class Task:
    """Something to recognise.

    Attributes:
        name: Short name, unique.
        corpus: Name of its `.npz` without the suffix, or `spar`, which comes with seglearn.
        merges: Classes that are taken for another one: (class, other).
        window_s: Seconds of a window.
        hop_s: Seconds from the start of a window to the start of the next.
        agreement: Share of a window that must carry its label; see `cut`.
        channels: What is measured; the accelerometer alone, as in the paper, or the gyroscope too.
        picture: Preset of the picture, for the methods that see one.
    """

    name: str
    corpus: str
    merges: tuple[tuple[str, str], ...] = ()
    window_s: float = WINDOW_S
    hop_s: float = 2.5
    agreement: float = 0.8
    channels: tuple[str, ...] = ACCELEROMETER
    picture: str = PICTURE


@dataclass(frozen=True, slots=True)
class TaskData:
    """A task's windows.

    Attributes:
        rate: Sampling rate in Hz.
        classes: Name of each class.
        windows: All of them, in the order of the recordings.
    """

    rate: float
    classes: tuple[str, ...]
    windows: Windows


TASKS = {
    task.name: task
    for task in (
        Task("spar", "spar"),
        Task("sp_sw_watch", "sp_sw_watch", window_s=2.5, hop_s=0.32, agreement=0.6),
        Task("swimming", "swimming", merges=(("turn", "null"),)),  # a turn is shorter than a window
        Task("tabletennis", "tabletennis"),
        Task("motionsense", "motionsense"),
    )
}
"""By name."""


def find_tasks(names: tuple[str, ...], axes: int = 3, picture: str = PICTURE) -> tuple[Task, ...]:
    """Tasks by name, in this order.

    Args:
        names: Keys of `TASKS`.
        axes: 3 for the accelerometer, 6 for the gyroscope too.
        picture: Preset of the picture; of another than ours, the task's name says so.

    Raises:
        BenchmarkError: If no task has such a name, or there can be no such axes or picture.
    """
    unknown = [name for name in names if name not in TASKS]
    if unknown:
        raise BenchmarkError(f"no task is called {unknown[0]!r}; there are: {', '.join(TASKS)}")
    if axes not in (3, 6):
        raise BenchmarkError(f"tasks have 3 axes or 6 with the gyroscope, not {axes}")
    channels = ACCELEROMETER if axes == 3 else ACCELEROMETER + GYROSCOPE
    try:
        SpectrogramSpec.preset(picture)
    except ValueError as error:
        raise BenchmarkError(str(error)) from error
    ending = "" if picture == PICTURE else f" ({picture} picture)"
    return tuple(
        replace(TASKS[name], name=name + ending, channels=channels, picture=picture) for name in names
    )


def task_spec(task: Task) -> SpectrogramSpec:
    """The task's picture, its durations scaled to the task's windows."""
    return SpectrogramSpec.preset(task.picture).scaled(task.window_s / WINDOW_S)


def task_columns(task: Task, rate: float) -> int:
    """Columns of the task's picture: as many as fit into its windows at a rate in Hz."""
    plan = SpectrogramPlan(task_spec(task), rate, len(task.channels))
    return (round(task.window_s * rate) - plan.frame) // plan.hop + 1


def load_task(task: Task, data: Path | None = None) -> TaskData:
    """Read a task's recordings and cut them into windows of a whole number of picture columns.

    Args:
        task: What to load.
        data: Folder of the `.npz` corpora; `spar` needs none.

    Raises:
        BenchmarkError: If a corpus is needed and no folder was given.
        RecordingError: If the corpus cannot be read.
        MissingExtraError: If seglearn, which brings `spar`, is not installed.
    """
    corpus = _corpus(task, data)
    plan = SpectrogramPlan(task_spec(task), corpus.rate, len(task.channels))
    samples = window_samples(plan, task_columns(task, corpus.rate))
    windows = cut(corpus, samples, round(task.hop_s * corpus.rate), task.agreement)
    return TaskData(corpus.rate, corpus.classes, windows)


def _corpus(task: Task, data: Path | None) -> Corpus:
    if task.corpus == "spar":
        corpus = spar.load()
    elif data is None:
        raise BenchmarkError(
            f"{task.name} needs the folder that holds {task.corpus}.npz; say --data FOLDER "
            "(get public sets with: img2imu fetch)"
        )
    else:
        corpus = read_npz(data / f"{task.corpus}.npz")
    return merged(corpus.only(task.channels), dict(task.merges))


def merged(corpus: Corpus, merges: dict[str, str]) -> Corpus:
    """A corpus in which some classes are taken for others, and exist no more."""
    classes = tuple(name for name in corpus.classes if name not in merges)
    numbers = [classes.index(merges.get(name, name)) for name in corpus.classes]
    # The last entry is found by the index of what has no label, -1.
    table = np.array([*numbers, NO_LABEL], np.int16)
    sessions = tuple(replace(session, labels=table[session.labels]) for session in corpus.sessions)
    return replace(corpus, classes=classes, sessions=sessions)

"""What converters share: sessions on a uniform grid, and the `.npz` corpus that they become."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from img2imu_edge.errors import RecordingError
from img2imu_edge.recording import Recording
from img2imu_edge.samples import ACCELEROMETER, GYROSCOPE
from img2imu_training.recordings import Corpus, TrainingSession
from img2imu_training.uniform import parts

_SHORTEST_S = 1.0
"""Stretches that are shorter are left out: no window fits."""


class Convert(Protocol):
    """Every converter module has a `convert` of this form."""

    def __call__(self, folder: Path, options: dict[str, str]) -> Corpus:
        """Read what was unpacked into a folder.

        Raises:
            RecordingError: If it is not laid out as documented.
        """
        ...


def files(folder: Path, pattern: str) -> list[Path]:
    """Files below a folder that match a pattern, sorted.

    Raises:
        RecordingError: If there are none.
    """
    found = sorted(folder.rglob(pattern))
    if not found:
        raise RecordingError(f"the archive holds no {pattern}; its layout has changed since this was written")
    return found


def table(
    path: Path, columns: tuple[int, ...], delimiter: str | None = None, skip: int = 0
) -> NDArray[np.float64]:
    """Some columns of a file of numbers.

    Raises:
        RecordingError: If it cannot be read.
    """
    try:
        return np.loadtxt(path, delimiter=delimiter, skiprows=skip, usecols=columns, ndmin=2)
    except (OSError, ValueError) as error:
        raise RecordingError(f"{path.name} is not laid out as documented: {error}") from error


def stretches(
    name: str,
    subject: str,
    times: NDArray[np.float64],
    values: NDArray[np.float64],
    labels: NDArray[np.int16],
    rate: float,
) -> Iterator[TrainingSession]:
    """A recording as sessions on a uniform grid, parted where samples are missing.

    Samples that are not finite, or not later than those before, count as missing.

    Args:
        name: Of the recording; sessions are called `<name>`, `<name>-2` and so on.
        subject: Who.
        times: (samples,) s.
        values: (samples, 3 or 6) SI units.
        labels: (samples,) class or `NO_LABEL`.
        rate: Hz.
    """
    later = times > np.maximum.accumulate(np.concatenate([[-np.inf], times[:-1]]))
    good = later & np.isfinite(values).all(axis=1)
    times, labels, kept = times[good], labels[good], values[good].astype(np.float32)
    if len(times) < 2:
        return
    nominal = 1 / float(np.median(np.diff(times)))
    channels = (ACCELEROMETER + GYROSCOPE)[: kept.shape[1]]
    recording = Recording(name, times, kept, channels, None, nominal)
    number = 0
    for part in parts(recording, channels, rate):
        if len(part.values) >= _SHORTEST_S * rate:
            number += 1
            own = name if number == 1 else f"{name}-{number}"
            yield TrainingSession(own, subject, part.values, labels[part.nearest])


def write_npz(path: Path, corpus: Corpus) -> None:
    """Write a corpus as `img2imu_training.recordings.read_npz` reads it.

    Samples become 16-bit integers over the range that the corpus uses. The file takes its name when it is
    whole.
    """
    values = np.concatenate([session.values for session in corpus.sessions])
    lengths = [len(session.values) for session in corpus.sessions]
    subjects = corpus.subjects
    people = [subjects.index(session.subject) for session in corpus.sessions]
    arrays: dict[str, ArrayLike] = {
        "fs": corpus.rate,
        "label": np.concatenate([session.labels for session in corpus.sessions]),
        "classes": np.array(corpus.classes),
        "subject": np.repeat(np.array(people, np.int16), lengths),
        "subjects": np.array(subjects),
        "session": np.repeat(np.arange(len(lengths), dtype=np.int32), lengths),
        "sessions": np.array([session.name for session in corpus.sessions]),
        "session_group": np.zeros(len(lengths), np.int64),
        "meta": json.dumps(corpus.about, ensure_ascii=False),
    }
    for first, sensor in ((0, "acc"), (3, "gyr"))[: values.shape[1] // 3]:
        part = values[:, first : first + 3]
        scale = max(float(np.abs(part).max()), 1e-6) / 32767
        arrays |= {sensor: np.rint(part / scale).astype(np.int16), f"{sensor}_scale": scale}
    partial = path.with_name(path.name + ".part")
    with partial.open("wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
    partial.replace(path)

"""Labelled recordings of many people, and their `.npz` form (`gather` reads folders of CSV files).

A corpus is a list of sessions. A session is one contiguous stretch of one person's samples at a uniform rate;
everything that cuts or splits works on whole sessions and whole people, so that no window joins what time had
apart and no person is on both sides of a split.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from img2imu_edge.errors import RecordingError
from img2imu_edge.samples import ACCELEROMETER, GYROSCOPE

NO_LABEL = -1
"""Class of a sample that nobody labelled."""


@dataclass(frozen=True, slots=True)
class TrainingSession:
    """One contiguous stretch of one person's samples.

    Attributes:
        name: Unique within its corpus.
        subject: Who wore the sensor.
        values: (samples, channels) float32, SI units, all finite.
        labels: (samples,) int16 class of each sample, `NO_LABEL` where there is none.
    """

    name: str
    subject: str
    values: NDArray[np.float32]
    labels: NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Corpus:
    """Sessions of many people, all at one rate and with the same channels.

    Attributes:
        name: Short name.
        rate: Sampling rate in Hz.
        channels: Name of each column of the sessions' values.
        classes: Name of each class.
        sessions: The sessions.
        about: Source, licence, placement and the like.
    """

    name: str
    rate: float
    channels: tuple[str, ...]
    classes: tuple[str, ...]
    sessions: tuple[TrainingSession, ...]
    about: dict[str, object]

    @property
    def subjects(self) -> tuple[str, ...]:
        """Everyone in the corpus, sorted by name."""
        return tuple(sorted({session.subject for session in self.sessions}))

    def of(self, subjects: tuple[str, ...]) -> Corpus:
        """The sessions of these people only.

        Raises:
            ValueError: If someone is not in the corpus.
        """
        strangers = sorted(set(subjects) - set(self.subjects))
        if strangers:
            raise ValueError(
                f"{self.name} has no subject {strangers[0]!r}; it has {', '.join(self.subjects)}"
            )
        return replace(self, sessions=tuple(s for s in self.sessions if s.subject in subjects))

    def only(self, channels: tuple[str, ...]) -> Corpus:
        """The same sessions with these channels only, in this order.

        Raises:
            ValueError: If the corpus lacks one.
        """
        lacking = [name for name in channels if name not in self.channels]
        if lacking:
            raise ValueError(f"{self.name} has no channel {lacking[0]!r}; it has {', '.join(self.channels)}")
        order = [self.channels.index(name) for name in channels]
        sessions = tuple(replace(s, values=np.ascontiguousarray(s.values[:, order])) for s in self.sessions)
        return replace(self, channels=channels, sessions=sessions)


def read_npz(path: Path) -> Corpus:
    """Read a corpus of integer samples with a scale.

    The arrays are `acc` and optionally `gyr` (samples, 3) integers with `acc_scale` and `gyr_scale` (m/s² and
    rad/s per count); `fs` in Hz; `label`, `subject` and `session` per sample, `classes`, `subjects` and
    `sessions` their names. The samples of a session lie together. Pickled arrays are refused.

    Raises:
        RecordingError: If the file cannot be read, an array is missing, or a session belongs to two people.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        sensors = [name for name in ("acc", "gyr") if name in arrays]
        values = np.concatenate([arrays[name] * float(arrays[f"{name}_scale"]) for name in sensors], axis=1)
        session, subject, label = (arrays[name] for name in ("session", "subject", "label"))
        names, people = arrays["sessions"], arrays["subjects"]
        edges = np.flatnonzero(np.diff(session)) + 1
        sessions = []
        for index in np.split(np.arange(len(session)), edges):
            who = np.unique(subject[index])
            if len(who) > 1:
                raise RecordingError(f"{path}: session {names[session[index[0]]]} has several subjects")
            sessions.append(
                TrainingSession(
                    name=str(names[session[index[0]]]),
                    subject=str(people[who[0]]),
                    values=values[index].astype(np.float32),
                    labels=label[index].astype(np.int16),
                )
            )
        return Corpus(
            name=path.stem,
            rate=float(arrays["fs"]),
            channels=ACCELEROMETER + GYROSCOPE if "gyr" in sensors else ACCELEROMETER,
            classes=tuple(map(str, arrays["classes"])),
            sessions=tuple(sessions),
            about={"meta": str(arrays["meta"])} if "meta" in arrays else {},
        )
    except (OSError, ValueError, KeyError) as error:
        raise RecordingError(f"{path} is not a corpus that can be read: {error}") from error

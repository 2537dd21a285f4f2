"""HAPT: `RawData/<acc|gyro>_exp<n>_user<m>.txt`, 50 Hz (g and rad/s), and `RawData/labels.txt`.

A line of the labels holds experiment, user, activity, first and last sample, counted from 1.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from img2imu_edge.errors import RecordingError
from img2imu_edge.samples import ACCELEROMETER, GYROSCOPE, STANDARD_GRAVITY
from img2imu_training.datasets.convert import files, table
from img2imu_training.recordings import NO_LABEL, Corpus, TrainingSession

_ACTIVITIES = (
    "walking",
    "walking_upstairs",
    "walking_downstairs",
    "sitting",
    "standing",
    "laying",
    "stand_to_sit",
    "sit_to_stand",
    "sit_to_lie",
    "lie_to_sit",
    "stand_to_lie",
    "lie_to_stand",
)


def convert(folder: Path, options: dict[str, str]) -> Corpus:
    """Read it."""
    marks = table(files(folder, "labels.txt")[0], tuple(range(5))).astype(int)
    sessions = []
    for path in files(folder, "acc_exp*_user*.txt"):
        experiment, person = (int(part[-2:]) for part in path.stem.split("_")[1:])
        force = table(path, (0, 1, 2)) * STANDARD_GRAVITY
        rate = table(path.with_name(path.name.replace("acc_", "gyro_")), (0, 1, 2))
        if len(rate) != len(force):
            raise RecordingError(f"{path.name} and its gyroscope differ in length")
        labels = np.full(len(force), NO_LABEL, np.int16)
        for _, _, activity, first, last in marks[(marks[:, :2] == (experiment, person)).all(axis=1)]:
            labels[first - 1 : last] = activity - 1
        values = np.concatenate([force, rate], axis=1).astype(np.float32)
        name = f"exp{experiment:02d}"
        sessions.append(TrainingSession(name, f"{person:02d}", values, labels))
    return Corpus("hapt", 50.0, ACCELEROMETER + GYROSCOPE, _ACTIVITIES, tuple(sessions), {})

"""mHealth: `mHealth_subject<n>.log`, 50 Hz; Shimmer units on chest, left ankle and right lower arm.

24 columns: 15 to 17 (counted from 1) are the arm's accelerometer in m/s², 24 is the activity.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from img2imu_edge.samples import ACCELEROMETER
from img2imu_training.datasets.convert import files, table
from img2imu_training.recordings import NO_LABEL, Corpus, TrainingSession

_ACTIVITIES = (
    "standing",
    "sitting",
    "lying",
    "walking",
    "climbing_stairs",
    "waist_bends",
    "arm_elevation",
    "knee_bends",
    "cycling",
    "jogging",
    "running",
    "jumping",
)


def convert(folder: Path, options: dict[str, str]) -> Corpus:
    """Read the arm's accelerometer.

    The gyroscope is left out: it is documented in deg/s, which its values do not look like.
    """
    sessions = []
    for path in files(folder, "mHealth_subject*.log"):
        rows = table(path, (14, 15, 16, 23))
        labels = rows[:, 3].astype(np.int16) - 1
        labels[labels < 0] = NO_LABEL
        person = f"{int(path.stem.removeprefix('mHealth_subject')):02d}"
        sessions.append(TrainingSession(path.stem, person, rows[:, :3].astype(np.float32), labels))
    return Corpus("mhealth", 50.0, ACCELEROMETER, _ACTIVITIES, tuple(sessions), {})

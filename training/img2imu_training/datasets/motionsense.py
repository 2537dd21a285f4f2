"""MotionSense: `A_DeviceMotion_data/<activity>_<trial>/sub_<person>.csv`, 50 Hz, iPhone 6s.

Columns: index, attitude (3), gravity (3, g), rotationRate (3, rad/s), userAcceleration (3, g).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from img2imu_edge.samples import ACCELEROMETER, GYROSCOPE, STANDARD_GRAVITY
from img2imu_training.datasets.convert import files, table
from img2imu_training.recordings import Corpus, TrainingSession

_ACTIVITIES = {
    "dws": "downstairs",
    "ups": "upstairs",
    "sit": "sitting",
    "std": "standing",
    "wlk": "walking",
    "jog": "jogging",
}


def convert(folder: Path, options: dict[str, str]) -> Corpus:
    """Read it. Apple's gravity points down: the specific force is minus (gravity + userAcceleration)."""
    codes = list(_ACTIVITIES)
    sessions = []
    for path in files(folder, "*_*/sub_*.csv"):
        activity = path.parent.name.split("_")[0]
        if activity not in _ACTIVITIES or path.name.startswith("._"):
            continue
        gravity, rate, user = np.split(table(path, tuple(range(4, 13)), ",", skip=1), 3, axis=1)
        values = np.concatenate([-STANDARD_GRAVITY * (gravity + user), rate], axis=1)
        person = f"{int(path.stem.removeprefix('sub_')):02d}"
        labels = np.full(len(values), codes.index(activity), np.int16)
        name = f"{path.parent.name}/{path.stem}"
        sessions.append(TrainingSession(name, person, values.astype(np.float32), labels))
    classes = tuple(_ACTIVITIES.values())
    return Corpus("motionsense", 50.0, ACCELEROMETER + GYROSCOPE, classes, tuple(sessions), {})

"""GeoTec's phones and watches: `DATA/s<person>/s<person>_<execution>_<sp|sw>.csv`, about 100 Hz, Android.

Columns: x_acc, y_acc, z_acc (m/s²), x_gyro, y_gyro, z_gyro (rad/s), timestamp (ms), label.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from img2imu_edge.errors import RecordingError
from img2imu_edge.samples import ACCELEROMETER, GYROSCOPE
from img2imu_training.datasets.convert import files, stretches, table
from img2imu_training.recordings import Corpus, TrainingSession

_ACTIVITIES = ("SEATED", "STANDING_UP", "WALKING", "TURNING", "SITTING_DOWN")
_RATE = 50.0


def convert(folder: Path, options: dict[str, str]) -> Corpus:
    """Read the executions of one device (option `device`: `sw` or `sp`), brought to 50 Hz."""
    sessions: list[TrainingSession] = []
    number = {name: i for i, name in enumerate(_ACTIVITIES)}
    for path in files(folder, f"s*_*_{options['device']}.csv"):
        numbers = table(path, tuple(range(7)), ",", skip=1)
        lines = path.read_text(encoding="utf-8").splitlines()[1:]
        names = [line.rpartition(",")[2].strip() for line in lines if line.strip()]
        unknown = set(names) - set(_ACTIVITIES)
        if unknown:
            raise RecordingError(f"{path.name} has an unknown label {min(unknown)!r}")
        labels = np.array([number[name] for name in names], np.int16)
        person = path.stem.split("_")[0]
        sessions += stretches(path.stem, person, numbers[:, 6] / 1000, numbers[:, :6], labels, _RATE)
    classes = tuple(name.lower() for name in _ACTIVITIES)
    return Corpus("sp-sw", _RATE, ACCELEROMETER + GYROSCOPE, classes, tuple(sessions), {})

"""PAMAP2: `Protocol/subject<n>.dat`, 100 Hz; three Colibri units on hand, chest and ankle.

54 columns: time (s), activity, heart rate, then 17 of each unit: temperature, ±16 g accelerometer (m/s²),
±6 g accelerometer, gyroscope (rad/s), magnetometer, orientation. Lost samples are NaN.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from img2imu_edge.samples import ACCELEROMETER, GYROSCOPE
from img2imu_training.datasets.convert import files, stretches, table
from img2imu_training.recordings import NO_LABEL, Corpus, TrainingSession

_ACTIVITIES = {
    1: "lying",
    2: "sitting",
    3: "standing",
    4: "walking",
    5: "running",
    6: "cycling",
    7: "nordic_walking",
    12: "ascending_stairs",
    13: "descending_stairs",
    16: "vacuum_cleaning",
    17: "ironing",
    24: "rope_jumping",
}
_UNITS = {"hand": 3, "chest": 20, "ankle": 37}
_RATE = 100.0


def convert(folder: Path, options: dict[str, str]) -> Corpus:
    """Read one unit (option `place`); transient activities (0) have no label.

    The ±16 g accelerometer is taken: its makers found the other to saturate.
    """
    first = _UNITS[options["place"]]
    columns = (0, 1, *range(first + 1, first + 4), *range(first + 7, first + 10))
    numbers = dict(zip(_ACTIVITIES, range(len(_ACTIVITIES)), strict=True))
    sessions: list[TrainingSession] = []
    for path in files(folder, "subject*.dat"):
        rows = table(path, columns)
        labels = np.array([numbers.get(int(code), NO_LABEL) for code in rows[:, 1]], np.int16)
        person = path.stem.removeprefix("subject")
        sessions += stretches(path.stem, person, rows[:, 0], rows[:, 2:], labels, _RATE)
    classes = tuple(_ACTIVITIES.values())
    return Corpus("pamap2", _RATE, ACCELEROMETER + GYROSCOPE, classes, tuple(sessions), {})

"""WISDM of 2019: `raw/<watch|phone>/<accel|gyro>/data_<person>_<sensor>_<device>.txt`, 20 Hz, Android.

A line is `person,activity,nanoseconds,x,y,z;` in m/s² or rad/s. The two sensors have times of their own.
"""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from img2imu_edge.errors import RecordingError
from img2imu_edge.samples import ACCELEROMETER, GYROSCOPE
from img2imu_training.datasets.convert import files, stretches
from img2imu_training.recordings import Corpus, TrainingSession

_ACTIVITIES = {
    "A": "walking",
    "B": "jogging",
    "C": "stairs",
    "D": "sitting",
    "E": "standing",
    "F": "typing",
    "G": "brushing_teeth",
    "H": "eating_soup",
    "I": "eating_chips",
    "J": "eating_pasta",
    "K": "drinking",
    "L": "eating_sandwich",
    "M": "kicking",
    "O": "catch",
    "P": "dribbling",
    "Q": "writing",
    "R": "clapping",
    "S": "folding_clothes",
}
_RATE = 20.0
_NEAR_S = 0.15
"""Rates are interpolated where the gyroscope has a sample so near: three of its intervals."""


def convert(folder: Path, options: dict[str, str]) -> Corpus:
    """Read one device (option `device`: `watch` or `phone`).

    Where the gyroscope has no samples at the accelerometer's times (some people's two clocks differ), the
    stretch is left out.
    """
    device = options["device"]
    codes = list(_ACTIVITIES)
    sessions: list[TrainingSession] = []
    for path in files(folder, f"data_*_accel_{device}.txt"):
        person = path.stem.split("_")[1]
        others = sorted(folder.rglob(f"data_{person}_gyro_{device}.txt"))
        if not others:
            continue
        force, rates = _read(path), _read(others[0])
        for code in sorted(set(force[:, 0].astype(int))):
            felt, turned = force[force[:, 0] == code], rates[rates[:, 0] == code]
            turned = turned[np.argsort(turned[:, 1], kind="stable")]
            if len(turned) < 2 or chr(code) not in _ACTIVITIES:
                continue
            times = felt[:, 1]
            place = np.searchsorted(turned[:, 1], times).clip(1, len(turned) - 1)
            near = np.minimum(*(np.abs(turned[place - side, 1] - times) for side in (0, 1))) < _NEAR_S
            between = [np.interp(times, turned[:, 1], turned[:, axis]) for axis in (2, 3, 4)]
            values = np.concatenate([felt[:, 2:], np.stack(between, axis=1)], axis=1)
            labels = np.full(len(times), codes.index(chr(code)), np.int16)
            name = f"{person}/{_ACTIVITIES[chr(code)]}"
            sessions += stretches(name, person, times[near], values[near], labels[near], _RATE)
    if not sessions:
        raise RecordingError(f"no stretch of the {device} has both sensors")
    classes = tuple(_ACTIVITIES.values())
    return Corpus("wisdm", _RATE, ACCELEROMETER + GYROSCOPE, classes, tuple(sessions), {})


def _read(path: Path) -> NDArray[np.float64]:
    """Code of the activity's letter, time in s, and three values of each line."""
    text = re.sub(r",([A-S]),", lambda found: f",{ord(found[1])},", path.read_text(encoding="ascii"))
    try:
        lines = np.loadtxt(io.StringIO(text.replace(";", "\n")), delimiter=",", ndmin=2)
        columns = lines[:, 1:6]
    except (ValueError, IndexError) as error:
        raise RecordingError(f"{path.name} is not laid out as documented: {error}") from error
    columns[:, 1] *= 1e-9
    return columns

"""UCI HAR: `UCI HAR Dataset/<train|test>/Inertial Signals/<signal>_<axis>_<train|test>.txt`, 50 Hz.

Every line is a window of 128 samples that shares half with the next: total_acc in g, body_gyro in rad/s.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from img2imu_edge.errors import RecordingError
from img2imu_edge.samples import ACCELEROMETER, GYROSCOPE, STANDARD_GRAVITY
from img2imu_training.datasets.convert import files, table
from img2imu_training.recordings import Corpus, TrainingSession

_ACTIVITIES = ("walking", "walking_upstairs", "walking_downstairs", "sitting", "standing", "laying")
_WINDOW = 128
_HALF = _WINDOW // 2


def convert(folder: Path, options: dict[str, str]) -> Corpus:
    """Read it; windows that share a half are joined to one session again."""
    sessions = []
    for half in ("train", "test"):
        people = table(files(folder, f"subject_{half}.txt")[0], (0,))[:, 0].astype(int)
        labels = table(files(folder, f"y_{half}.txt")[0], (0,))[:, 0].astype(int) - 1
        signals = [
            table(files(folder, f"{signal}_{axis}_{half}.txt")[0], tuple(range(_WINDOW)))
            for signal in ("total_acc", "body_gyro")
            for axis in "xyz"
        ]
        if {len(signal) for signal in signals} != {len(people)} or len(labels) != len(people):
            raise RecordingError(f"the files of {half} differ in their number of windows")
        windows = np.stack(signals, axis=2)
        windows[..., :3] *= STANDARD_GRAVITY
        shared = np.isclose(windows[:-1, _HALF:], windows[1:, :_HALF], atol=1e-6).all(axis=(1, 2))
        joined = shared & (np.diff(people) == 0) & (np.diff(labels) == 0)
        for run in np.split(np.arange(len(people)), np.flatnonzero(~joined) + 1):
            tail = windows[run[1:], _HALF:].reshape(-1, 6)
            values = np.concatenate([windows[run[0]], tail]).astype(np.float32)
            label = np.full(len(values), labels[run[0]], np.int16)
            sessions.append(TrainingSession(f"{half}/{run[0]}", f"{people[run[0]]:02d}", values, label))
    return Corpus("uci-har", 50.0, ACCELEROMETER + GYROSCOPE, _ACTIVITIES, tuple(sessions), {})

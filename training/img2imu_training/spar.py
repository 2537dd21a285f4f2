"""SPAR: seven shoulder exercises on ten people's wrists, six axes of an Apple Watch at 50 Hz.

Burns, Leung, Hardisty, Whyne, Henry, McLachlin: "Shoulder physiotherapy exercise recognition: machine
learning the inertial signals from a smartwatch", Physiol. Meas. 39 (2018), arXiv 1802.01489. The data come
with the PyPI package seglearn (BSD-3, copyright 2018 David Burns): 20 repetitions of each exercise with each
arm.

seglearn keeps them as a pickle inside a `.npy`, which only its own `load_watch()` reads; unpickling can run
code. Therefore the file's SHA-256 is checked first: only the bytes of release 1.2.5, which hold nothing but
numbers and names, are ever unpickled.
"""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np

from img2imu_edge.errors import MissingExtraError, RecordingError
from img2imu_edge.samples import ACCELEROMETER, GYROSCOPE, STANDARD_GRAVITY
from img2imu_training.recordings import Corpus, TrainingSession

RATE = 50.0
"""Hz."""

CLASSES = (
    "pendulum",
    "abduction",
    "forward_elevation",
    "internal_rotation",
    "external_rotation",
    "trapezius_row",
    "bent_over_row",
)
"""The exercises, in seglearn's order (PEN, ABD, FEL, IR, ER, TRAP, ROW)."""

_SHA256 = "eb122f23cdf06ef6bd6c6c5312958ec5cf9d038e2e6d457b8081662c75a42537"


def load() -> Corpus:
    """Load the corpus.

    The watch reports acceleration in g with the sign of gravity; here it is specific force in m/s²: an axis
    that points up at rest reads +9.81. Rates are rad/s already.

    Returns:
        140 sessions `s<subject>_<R|L>_<exercise>` of subjects "01" to "10".

    Raises:
        MissingExtraError: If seglearn is not installed.
        RecordingError: If its data file is not the known one.
    """
    data = _load_watch()
    sessions = []
    sides: dict[tuple[int, float, int], int] = {}
    rows = zip(data["X"], data["subject"], data["side"], data["y"], strict=True)
    for values, subject, side, label in rows:
        key = (int(subject), float(side), int(label))
        sides[key] = sides.get(key, 0) + 1
        name = f"s{subject}_{'R' if side else 'L'}_{data['y_labels'][label]}"
        si = values * np.repeat([-STANDARD_GRAVITY, 1.0], 3)
        sessions.append(
            TrainingSession(
                name=name if sides[key] == 1 else f"{name}_{sides[key]}",
                subject=f"{subject:02d}",
                values=si.astype(np.float32),
                labels=np.full(len(si), label, np.int16),
            )
        )
    about: dict[str, object] = {
        "source": "PyPI seglearn 1.2.5, seglearn/data/watch_dataset.npy",
        "licence": "BSD-3-Clause, Copyright (c) 2018 David Burns",
        "cite": "Burns et al., arXiv 1802.01489",
        "placement": "wrist (Apple Watch), left and right",
    }
    return Corpus("spar", RATE, ACCELEROMETER + GYROSCOPE, CLASSES, tuple(sessions), about)


def _load_watch() -> dict[str, Any]:
    """What `seglearn.datasets.load_watch()` gives.

    Only that module is executed: to import all of seglearn 1.2.5 takes pandas, which it does not declare.
    """
    package = importlib.util.find_spec("seglearn")
    if package is None or package.origin is None:
        raise MissingExtraError(
            "the SPAR data come with seglearn; install it with: pip install img2imu-edge[train]"
        )
    folder = Path(package.origin).parent
    file = folder / "data" / "watch_dataset.npy"
    if hashlib.sha256(file.read_bytes()).hexdigest() != _SHA256:
        raise RecordingError(f"{file} is not the one of seglearn 1.2.5; pip install seglearn==1.2.5")
    spec = importlib.util.spec_from_file_location("seglearn_datasets", folder / "datasets.py")
    if spec is None or spec.loader is None:
        raise RecordingError(f"{folder} has no datasets.py; pip install --force-reinstall seglearn==1.2.5")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    data: dict[str, Any] = module.load_watch()
    return data

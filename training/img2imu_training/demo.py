"""The demo's recording: one person's seven shoulder exercises, joined into a few minutes.

The person is the corpus' last subject, chosen by that rule before any result was seen, and kept out of
training, tuning and thresholds.
"""

from __future__ import annotations

import json
from importlib.metadata import distribution
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from img2imu_edge.recording import demo_recording
from img2imu_training import spar

SUBJECT = "10"
"""Who is in the recording."""

START_S = 5.0
"""Seconds into the first session of each exercise at which its excerpt starts."""

LENGTH_S = 30.0
"""Length of an excerpt in seconds; a session that is shorter gives all it has from the start on."""

_STEPS = np.repeat([400, 1000], 3)


def excerpts() -> tuple[NDArray[np.float64], list[str], list[str]]:
    """The excerpts, joined in the order of the classes.

    Returns:
        (samples, 6) values in SI units, rounded to 1/400 m/s² and 1/1000 rad/s (finer than the sensor's
        noise); the label of each sample; the names of the sessions taken.
    """
    corpus = spar.load().of((SUBJECT,))
    start, length = round(START_S * corpus.rate), round(LENGTH_S * corpus.rate)
    parts, labels, names = [], [], []
    for label, exercise in enumerate(corpus.classes):
        session = next(s for s in corpus.sessions if s.labels[0] == label)
        part = session.values[start : start + length].astype(np.float64)
        parts.append(np.round(part * _STEPS) / _STEPS)
        labels += [exercise] * len(part)
        names.append(session.name)
    return np.concatenate(parts), labels, names


def write(path: Path | None = None) -> Path:
    """Write the recording and its side-car; the same bytes each time.

    Args:
        path: The CSV to write; the shipped one by default.
    """
    path = path or demo_recording()
    values, labels, names = excerpts()
    lines = ["time,acc_x,acc_y,acc_z,gyr_x,gyr_y,gyr_z,label"]
    for i, (row, label) in enumerate(zip(values.tolist(), labels, strict=True)):
        numbers = ",".join(repr(round(value, 4) + 0.0) for value in row)  # + 0.0 turns -0.0 into 0.0
        lines.append(f"{round(i / spar.RATE, 2)!r},{numbers},{label}")
    about = {
        "title": "Seven shoulder physiotherapy exercises, wrist",
        "subject": SUBJECT,
        "source": "SPAR, as shipped in the PyPI package seglearn 1.2.5 (seglearn/data/watch_dataset.npy)",
        "cite": (
            "D. M. Burns, N. Leung, M. Hardisty, C. M. Whyne, P. Henry, S. McLachlin: Shoulder Physiotherapy "
            "Exercise Recognition: Machine Learning the Inertial Signals from a Smartwatch. Physiological "
            "Measurement 39 (2018) 075007, arXiv 1802.01489"
        ),
        "placement": "wrist (Apple Watch)",
        "rate_hz": spar.RATE,
        "sessions": names,
        "changes": (
            f"Seconds {START_S:g} to {START_S + LENGTH_S:g} of the first session of each exercise, joined in "
            "the order of the classes with continuous times; g times -9.80665 to m/s², +g up; rounded to "
            "1/400 m/s² and 1/1000 rad/s"
        ),
        "licence": "BSD-3-Clause",
        "licence_text": distribution("seglearn").read_text("LICENSE"),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    side_car = json.dumps(about, ensure_ascii=False, indent=2)
    path.with_suffix(".json").write_text(side_car + "\n", encoding="utf-8")
    return path

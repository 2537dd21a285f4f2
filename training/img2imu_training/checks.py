"""Checks of a corpus before anyone trains on it: units, people and classes, in sentences that say what to do.

A wrong unit or a class that one person alone has done does not stop a training; it spoils the result in
silence. So each check looks for the trace that a mistake leaves in the numbers themselves.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from img2imu_edge.errors import RecordingError
from img2imu_edge.samples import ACCELEROMETER, GYROSCOPE, STANDARD_GRAVITY
from img2imu_training.recordings import Corpus
from img2imu_training.windows import cut

WINDOW_S = 5.0
"""Seconds of a window, nearly: 32 columns of the `motion` spectrogram are 5.04 s."""

STILL_S = 1.0
"""Seconds that a sensor must keep still to tell the unit of its accelerometer."""

STILL = 0.015
"""Still is less motion (standard deviation) than this share of gravity, or of what the sensor shows: several
times a watch's noise and below the tremor of a held hand."""

STILL_STRETCHES = 3
"""Still stretches that make a verdict; one alone may be a slow turn."""

LOWEST, HIGHEST = 3.5, 50.0
"""m/s². The median of a recording lies between, however brisk the motion: 9 to 28 in some thousand recordings
of watches and phones, swimming and table tennis among them."""

FASTEST_RAD_S = 50.0
"""rad/s. Wearable gyroscopes end at 2000 °/s, which is 35 rad/s: more than this must be degrees."""

SHOWN = 5
"""Names listed in a sentence before it says how many more there are."""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something about the data that its owner should know.

    Attributes:
        level: `note` says what was done; a `warning` is likely to cost accuracy and says what to do.
        text: One or two sentences.
    """

    level: Literal["note", "warning"]
    text: str


def listed(names: Iterable[str]) -> str:
    """`a, b, c`, and after a few "and 12 more"."""
    every = list(names)
    rest = f" and {len(every) - SHOWN} more" if len(every) > SHOWN else ""
    return ", ".join(every[:SHOWN]) + rest


def still_level(acceleration: NDArray[np.float32], rate: float) -> float | None:
    """What the accelerometer shows while it keeps still: 9.8 in m/s², 1 in g, 0 without gravity.

    Args:
        acceleration: (samples, 3) of one recording, in whatever unit.
        rate: Sampling rate in Hz.

    Returns:
        The median over its still stretches of the norm of their mean; None where there are too few of them.
    """
    length = max(2, round(STILL_S * rate))
    count = len(acceleration) // length
    stretches = acceleration[: count * length].astype(np.float64).reshape(count, length, 3)
    level = np.linalg.norm(stretches.mean(axis=1), axis=1)
    motion = np.linalg.norm(stretches.std(axis=1), axis=1)
    still = motion < STILL * np.maximum(level, STANDARD_GRAVITY)
    return float(np.median(level[still])) if still.sum() >= STILL_STRETCHES else None


def check_units(corpus: Corpus) -> list[Notice]:
    """Tell a wrong unit by what a still sensor shows, recording by recording.

    Few recordings of motion hold still stretches. The others are told by their median, which is surer of a
    mistake than of its cause.

    Raises:
        RecordingError: If acceleration is in g, mg or raw counts: every picture made of it would be wrong.
    """
    found: dict[str, list[str]] = {}
    shown: dict[str, list[float]] = {}
    for session in corpus.only(ACCELEROMETER).sessions:
        level = still_level(session.values, corpus.rate)
        mistake = None if level is None else _mistake(level)
        if level is None and len(session.values):
            level = float(np.median(np.linalg.norm(session.values, axis=1)))
            mistake = "low" if level < LOWEST else "high" if level > HIGHEST else None
        if level is not None and mistake:
            found.setdefault(mistake, []).append(session.name)
            shown.setdefault(mistake, []).append(level)
    for unsure, sure in (("low", "g"), ("low", "no gravity"), ("high", "mg"), ("high", "counts")):
        if unsure in found and sure in found:  # one folder, one mistake: all of its files are named at once
            found[sure] = sorted(found[sure] + found.pop(unsure))
    notices = []
    for mistake, names in found.items():
        level = float(np.median(shown[mistake]))
        cause, fatal = _CAUSES[mistake]
        must = "moving sensor must show about" if mistake in ("low", "high") else "still sensor must show"
        factor = f"{STANDARD_GRAVITY / level:.4g}" if level > 0 else ""
        text = f"a {must} 9.8 m/s², but shows {level:.4g} in {listed(names)}: {cause.format(factor=factor)}"
        if fatal:
            raise RecordingError(text)
        notices.append(Notice("warning", text[0].upper() + text[1:]))
    return notices + _check_rates(corpus)


_CAUSES = {
    "g": ("the unit is g; multiply acc_x, acc_y and acc_z by 9.80665", True),
    "mg": ("the unit is mg; multiply acc_x, acc_y and acc_z by 0.00980665", True),
    "low": (
        "the unit is g (multiply acc_x, acc_y and acc_z by 9.80665), or gravity was taken off (record the "
        "raw accelerometer)",
        False,
    ),
    "high": ("the unit is not m/s², but mg (multiply by 0.00980665) or the sensor's raw counts", True),
    "counts": ("these are the sensor's raw counts; multiply acc_x, acc_y and acc_z by {factor}", True),
    "no gravity": (
        "gravity was taken off (linear acceleration). Record the raw accelerometer, gravity included: the "
        "model reads the sensor's position from it, and the device that will run it delivers it",
        False,
    ),
    "scale": (
        "more than 10 % off. The sensor needs calibrating, or a wrong measuring range was assumed; "
        "multiplying by {factor} would bring it right",
        False,
    ),
}
"""What each mistake means and how to cure it; whether it stops."""


def _mistake(level: float) -> str | None:
    """Name the mistake behind a still sensor's level; None if it is right."""
    if level < 0.5:
        return "no gravity"
    if 0.85 < level < 1.15:
        return "g"
    if 850 < level < 1150:
        return "mg"
    if level > 50:
        return "counts"
    return "scale" if abs(level / STANDARD_GRAVITY - 1) > 0.1 else None


def _check_rates(corpus: Corpus) -> list[Notice]:
    """Degrees instead of radians show as turns that no wearable's gyroscope can measure."""
    if not set(GYROSCOPE) <= set(corpus.channels):
        return []
    turns = {s.name: np.linalg.norm(s.values, axis=1) for s in corpus.only(GYROSCOPE).sessions}
    fast = [name for name, norm in turns.items() if len(norm) and np.percentile(norm, 99) > FASTEST_RAD_S]
    if not fast:
        return []
    return [
        Notice(
            "warning",
            f"The gyroscope turns faster than any wearable's can measure in {listed(fast)}: the unit is "
            "probably °/s; multiply gyr_x, gyr_y and gyr_z by 0.0174533 to have rad/s.",
        )
    ]


def _meant(name: str, classes: Iterable[str]) -> str:
    """What a class of one person may be a misspelling of; names that differ in a number are none."""
    others = [other for other in classes if other != name and not any(map(str.isdigit, other + name))]
    near = get_close_matches(name, others, 1, 0.85)
    return f"; or is it {near[0]!r}?" if near else ""


def check_classes(corpus: Corpus, group: str, window_s: float = WINDOW_S) -> list[Notice]:
    """Find classes that are too small to learn or to judge, and names that mean the same.

    Args:
        corpus: Labelled recordings.
        group: What the corpus' subjects are: `person`, or `session` where there is one person only.
        window_s: Seconds of a window.

    Raises:
        RecordingError: If fewer than two classes are labelled.
    """
    if len(corpus.classes) < 2:
        has = f"one class only, {corpus.classes[0]!r}" if corpus.classes else "no labels"
        raise RecordingError(
            f"{corpus.name} has {has}; a classifier needs at least two. Name what was done in the column "
            "`label`, and record something else, too, such as `other`"
        )
    length = max(1, round(window_s * corpus.rate))
    windows = cut(corpus.only(ACCELEROMETER), length, max(1, length // 2))
    small: list[str] = []
    single: list[str] = []
    for number, name in enumerate(corpus.classes):
        who = set(windows.subjects[windows.labels == number].tolist())
        if np.sum(windows.labels == number) < 2:
            small.append(repr(name))
        elif len(who) == 1:
            single.append(f"{name!r} ({min(who)}{_meant(name, corpus.classes)})")
    notices = []
    if small:
        text = (
            f"Too short to fill two windows of {window_s:g} s: {listed(small)}. Record each for longer "
            "without a pause, join it with another class, or leave its label empty."
        )
        notices.append(Notice("warning", text))
    if single:
        text = (
            f"From one {group} only: {listed(single)}. Whether that is recognised in another cannot be told; "
            f"record it in at least one more {group}."
        )
        notices.append(Notice("warning", text))
    plain: dict[str, list[str]] = {}
    for name in corpus.classes:
        plain.setdefault("".join(filter(str.isalnum, name.casefold())), []).append(name)
    notices += [
        Notice("warning", f"{' and '.join(map(repr, same))} count as different classes; give them one name.")
        for same in plain.values()
        if len(same) > 1
    ]
    return notices

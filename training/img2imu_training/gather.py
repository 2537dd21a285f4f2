"""Recordings as people have them, made into one corpus: mixed rates, gaps and broken files included.

What can be put right is put right and said in a notice; what would spoil the result in silence stops.
"""

from __future__ import annotations

import csv
import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np

from img2imu_edge.errors import RecordingError
from img2imu_edge.recording import UNLABELLED, Recording, read_recording
from img2imu_edge.samples import ACCELEROMETER, GYROSCOPE
from img2imu_training.checks import SHOWN, WINDOW_S, Notice, check_classes, check_units, listed
from img2imu_training.recordings import NO_LABEL, Corpus, TrainingSession, read_npz
from img2imu_training.uniform import BRIDGE_S, SAME_RATE, common_rate, parts

ONE_PERSON = "person"
"""Key of `Corpus.about` that names whom all recordings are of, where sessions stand in for people."""


def read_recordings(
    path: Path, rate: float | None = None, window_s: float = WINDOW_S
) -> tuple[Corpus, tuple[Notice, ...]]:
    """Read everything that can be trained on, and say what its owner should know about it.

    A folder is searched with its sub-folders for CSV recordings (see `img2imu_edge.recording`), each with an
    optional side-car of the same name ending in `.json`: `subject` (who), `session` (recordings of one
    wearing share it) and `placement`. All are brought to one rate by the runtime's resampler; gaps longer
    than `BRIDGE_S` part a recording; a file that cannot be used is left out. Where all is of one person, the
    corpus' subjects are that person's sessions, so that something can be held out.

    Args:
        path: A folder of recordings, one CSV, or an `.npz` corpus (see `read_npz`).
        rate: Sampling rate in Hz of the result; the one that most of the recorded time has, by default.
        window_s: Seconds of the windows that it will be cut into; what is shorter is of no use.

    Returns:
        The corpus with three or six channels, and the notices.

    Raises:
        RecordingError: If nothing can be read, nothing or only one class is labelled, all is one session, or
            the unit of acceleration is wrong.
    """
    if rate is not None and not 0 < rate < np.inf:
        raise RecordingError(f"a sampling rate of {rate} Hz cannot be had; give one above 0")
    if path.suffix.lower() == ".npz":
        corpus, notices = resample(read_npz(path), rate)
        wearing = {session.name: session.name for session in corpus.sessions}
    else:
        found, notices = _read_files(path)
        corpus, wearing, more = _join(path, found, rate, window_s)
        notices += more
    notices += check_units(corpus)
    if len(corpus.subjects) == 1:
        corpus, notice = _by_session(corpus, wearing)
        notices.append(notice)
        return corpus, (*notices, *check_classes(corpus, "session", window_s))
    return corpus, (*notices, *check_classes(corpus, "person", window_s))


def resample(corpus: Corpus, rate: float | None) -> tuple[Corpus, list[Notice]]:
    """A corpus at another rate in Hz, and what there is to say about it; None leaves it as it is."""
    if rate is None or rate == corpus.rate:
        return corpus, []
    sessions = []
    for session in corpus.sessions:
        times = np.arange(len(session.values)) / corpus.rate
        recording = Recording(session.name, times, session.values, corpus.channels, None, corpus.rate)
        for part in parts(recording, corpus.channels, rate):
            sessions.append(replace(session, values=part.values, labels=session.labels[part.nearest]))
    text = f"{corpus.name} was resampled from {corpus.rate:g} to {rate:g} Hz. {_lacking(corpus.rate, rate)}"
    return replace(corpus, rate=rate, sessions=tuple(sessions)), [Notice("note", text.strip())]


def _read_files(path: Path) -> tuple[dict[str, Recording], list[Notice]]:
    """Read every recording that can be read, by its path within the folder without the suffix."""
    if path.is_dir():
        inside = ((p, p.relative_to(path)) for p in sorted(path.rglob("*")))
        files = [(p, name) for p, name in inside if p.suffix.lower() == ".csv" and p.is_file()]
        files = [(p, name) for p, name in files if not any(part.startswith(".") for part in name.parts)]
    else:
        files = [(path, Path(path.name))]
    if not files:
        raise RecordingError(f"{path} has no .csv recordings")
    found: dict[str, Recording] = {}
    copies: dict[bytes, str] = {}
    faults: list[str] = []
    for file, name in files:
        key = name.with_suffix("").as_posix()
        try:
            with np.errstate(over="ignore"):  # beyond float32 it becomes infinite, which is told below
                recording = read_recording(file)
        except (RecordingError, csv.Error, OSError) as error:
            faults.append(str(error) if str(file) in str(error) else f"{file}: {error}")
            continue
        if not np.isfinite(recording.values).all():
            faults.append(f"{file} has values that no sensor gives")
            continue
        digest = hashlib.sha256(recording.times.tobytes() + recording.values.tobytes()).digest()
        if digest in copies:
            faults.append(f"{file} holds the same samples as {copies[digest]}")
            continue
        copies[digest] = key
        found[key] = recording
    if not found:
        raise RecordingError(f"no recording in {path} can be used. {faults[0]}")
    notices = [Notice("warning", f"Left out: {fault}.") for fault in faults[:SHOWN]]
    if len(faults) > SHOWN:
        notices.append(Notice("warning", f"Left out for such reasons: {len(faults) - SHOWN} more files."))
    return found, notices


def _join(
    path: Path, found: dict[str, Recording], rate: float | None, window_s: float
) -> tuple[Corpus, dict[str, str], list[Notice]]:
    """Recordings to sessions at one rate with the same channels; also which wearing each belongs to."""
    channels, notices = _common_channels(found)
    asked, rate = rate, rate or common_rate(found.values())
    notices += _about_rates(found, rate, asked is not None)
    labels = {str(x) for r in found.values() if r.labels is not None for x in np.unique(r.labels)}
    classes = tuple(sorted(labels - {UNLABELLED}))
    number = {name: i for i, name in enumerate(classes)} | {UNLABELLED: NO_LABEL}
    sessions: list[TrainingSession] = []
    wearing: dict[str, str] = {}
    split: list[str] = []
    bridged, short = 0, 0
    for name, recording in found.items():
        numbers = np.full(len(recording), NO_LABEL, np.int16)
        if recording.labels is not None:
            numbers[:] = [number[str(label)] for label in recording.labels]
        stretches = parts(recording, channels, rate)
        subject = _said(recording, "subject") or name
        for count, part in enumerate(stretches, start=1):
            called = name if count == 1 else f"{name}#{count}"
            sessions.append(TrainingSession(called, subject, part.values, numbers[part.nearest]))
            wearing[called] = _said(recording, "session") or name
            bridged += part.bridged
            short += len(part.values) < window_s * rate
        if len(stretches) > 1:
            split.append(f"{name} ({len(stretches)} parts)")
    notices += _about_gaps(found, split, bridged / rate)
    notices += _about_length(short, len(sessions), window_s)
    notices += _about_side_cars(found)
    placements = {_said(r, "placement") for r in found.values()} - {""}
    about: dict[str, object] = {"placement": placements.pop()} if len(placements) == 1 else {}
    return Corpus(path.stem, rate, channels, classes, tuple(sessions), about), wearing, notices


def _said(recording: Recording, key: str) -> str:
    """What the side-car says, as text: people may be numbered from 0."""
    value = recording.about.get(key)
    return "" if value is None else str(value).strip()


def _common_channels(found: dict[str, Recording]) -> tuple[tuple[str, ...], list[Notice]]:
    """The accelerometer, and the gyroscope if everyone has it whole."""
    lacking = [name for name, r in found.items() if not set(GYROSCOPE) <= set(r.channels)]
    channels = ACCELEROMETER if lacking else ACCELEROMETER + GYROSCOPE
    notices = []
    if lacking and len(lacking) < len(found):
        text = (
            f"The gyroscope is left out, since {len(lacking)} of {len(found)} recordings lack it: "
            f"{listed(lacking)}. Take these away to train on it."
        )
        notices.append(Notice("warning", text))
    known = {*ACCELEROMETER, *GYROSCOPE}
    unused = sorted({channel for r in found.values() for channel in r.channels} - known)
    if unused:
        text = f"Channels that are not used: {listed(unused)}. Those that are: {', '.join(channels)}."
        notices.append(Notice("note", text))
    return channels, notices


def _about_rates(found: dict[str, Recording], rate: float, asked: bool) -> list[Notice]:
    other = {name: r.rate for name, r in found.items() if abs(r.rate / rate - 1) > SAME_RATE}
    if not other:
        return []
    why = "as asked" if asked else "the rate of most of the recorded time"
    slowest = min(other.values())
    text = (
        f"{len(other)} of {len(found)} recordings were resampled to {rate:g} Hz, {why}: "
        f"{listed(f'{name} ({r:.4g} Hz)' for name, r in other.items())}. {_lacking(slowest, rate)}"
    )
    return [Notice("warning" if slowest < rate else "note", text.strip())]


def _lacking(slowest: float, rate: float) -> str:
    if slowest >= rate:
        return ""
    return (
        f"The slowest holds nothing above {slowest / 2:.4g} Hz, which the network may learn instead of the "
        "motion; better record all at one rate."
    )


def _about_gaps(found: dict[str, Recording], split: list[str], bridged_s: float) -> list[Notice]:
    notices = []
    if split:
        notices.append(Notice("note", f"Split where more than {BRIDGE_S:g} s are missing: {listed(split)}."))
    if bridged_s:
        notices.append(
            Notice("note", f"Short gaps were bridged in a straight line: {bridged_s:.1f} s in all.")
        )
    dropped = {name: r.dropped for name, r in found.items() if r.dropped}
    if dropped:
        rows = sum(dropped.values())
        notices.append(Notice("note", f"{rows} rows lack a value and count as gaps: {listed(dropped)}."))
    return notices


def _about_length(short: int, sessions: int, window_s: float) -> list[Notice]:
    if not short:
        return []
    text = (
        f"{short} of {sessions} stretches are shorter than a window of {window_s:g} s and cannot be "
        "used; record longer, and look for what loses samples if there are gaps."
    )
    return [Notice("warning", text)]


def _about_side_cars(found: dict[str, Recording]) -> list[Notice]:
    notices = []
    nameless = [name for name, r in found.items() if not _said(r, "subject")]
    if nameless:
        text = (
            f"{len(nameless)} of {len(found)} recordings do not say who wore the sensor and count as a "
            f"person each: {listed(nameless)}. If they are not, the score will be too good: put "
            '{"subject": "name"} into a file of the same name ending in .json.'
        )
        notices.append(Notice("warning", text))
    people: dict[str, set[str]] = {}
    for who in {_said(r, "subject") for r in found.values()}:
        people.setdefault(" ".join(who.casefold().replace("_", " ").split()), set()).add(who)
    for same in people.values():
        if len(same) > 1:
            text = (
                f"{' and '.join(map(repr, sorted(same)))} count as different people. If they are one, the "
                "score will be too good: give them one name."
            )
            notices.append(Notice("warning", text))
    worn = sorted({_said(r, "placement") for r in found.values()} - {""})
    if len(worn) > 1:
        text = (
            f"The sensor was worn in different places ({listed(worn)}); unless the model shall work in all "
            "of them, train one for each."
        )
        notices.append(Notice("warning", text))
    return notices


def _by_session(corpus: Corpus, wearing: dict[str, str]) -> tuple[Corpus, Notice]:
    """One person's sessions in the place of people, for want of others to hold out."""
    (person,) = corpus.subjects
    groups = sorted(set(wearing.values()))
    if len(groups) == 1:
        raise RecordingError(
            f"{corpus.name} holds one session of one person, so that nothing can be held out to judge a "
            "model by. Record every class at least once more after taking the sensor off and on again, "
            "better with other people too, each time into a file of its own. Without that, "
            "img2imu enroll can teach a model that is there from them, but not judge it"
        )
    text = (
        f"All recordings are of one person ({person}): {len(groups)} sessions are held out in turn instead "
        "of people. The score says how well the model knows this person on another day, not how well it "
        "knows others; record two or more people for that. It is too good if the sensor was not taken off "
        "between sessions: recordings of one wearing need the same `session` in their .json."
    )
    sessions = tuple(replace(session, subject=wearing[session.name]) for session in corpus.sessions)
    about = {**corpus.about, ONE_PERSON: person}
    return replace(corpus, sessions=sessions, about=about), Notice("warning", text)

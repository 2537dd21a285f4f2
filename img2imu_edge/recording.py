"""Recordings on disk: one CSV per recording, readable by people and spreadsheets.

The header names the columns: `time` in seconds, then channels in SI units such as `acc_x` (m/s²) and `gyr_z`
(rad/s), and optionally `label`. A side-car of the same name ending in `.json` may say where it comes from.
"""

from __future__ import annotations

import csv
import errno
import io
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from img2imu_edge.errors import RecordingError
from img2imu_edge.samples import ACCELEROMETER, SampleBlock

UNLABELLED = ""
"""The label of a sample that nobody labelled."""

COMPLETE = "complete"
"""Key of a side-car that tells whether the writing of its recording came to its proper end."""

_SHOWN = 60
_LONGEST_STEP = 1.0
# With the shortest step that is taken for each: below, it would be more than 1000 Hz.
_UNITS_OF_TIME = (("nanoseconds", 1e6, 10**9), ("microseconds", 1e3, 10**6), ("milliseconds", 1.0, 10**3))


@dataclass(frozen=True, slots=True)
class Recording:
    """Timed samples of one wearable, with labels where there are any.

    Attributes:
        name: The file's stem.
        times: (samples,) float64 seconds, strictly increasing.
        values: (samples, channels) float32, SI units, all finite.
        channels: Name of each column of `values`.
        labels: (samples,) label of each sample, or None where the file has no label column.
        rate: Sampling rate in Hz: the inverse of the median interval.
        dropped: Rows left out because a value was missing or not a number; they show as gaps in `times`.
        about: What the side-car says (source, licence, subject …); empty without one.
    """

    name: str
    times: NDArray[np.float64]
    values: NDArray[np.float32]
    channels: tuple[str, ...]
    labels: NDArray[np.str_] | None
    rate: float
    dropped: int = 0
    about: dict[str, object] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.times)

    def blocks(self, samples: int) -> Iterator[SampleBlock]:
        """Cut the recording into blocks of at most `samples` samples, as a device would send them."""
        for start in range(0, len(self), samples):
            part = slice(start, start + samples)
            yield SampleBlock(self.times[part], self.values[part], self.channels)


def demo_recording() -> Path:
    """Where the recording that ships with the package lies: a wrist during shoulder exercises."""
    return Path(__file__).parent / "recordings" / "shoulder.csv"


def read_recording(path: str | Path) -> Recording:
    """Read a CSV recording.

    Rows with a value that is empty, NaN or infinite are left out and counted, so that they become gaps. So is
    a last line that was cut, where the writing was cut short: one without its end in a recording whose
    side-car says that it is not complete, or with too few fields.

    Args:
        path: The CSV file.

    Returns:
        The recording.

    Raises:
        RecordingError: If the file cannot be read, a column is missing, a field is no number, times do not
            increase or cannot be seconds, or fewer than two rows are usable. The message names the line.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise RecordingError(f"cannot read {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise RecordingError(f"{path} is not a text file; a recording is a CSV in UTF-8") from error
    if "\0" in text:
        raise RecordingError(f"{path} is not a text file; a recording is a CSV in UTF-8")
    about = read_side_car(path.with_suffix(".json"))
    whole, cut = _without_cut_line(text, about)
    rows = csv.reader(io.StringIO(whole))
    try:
        header = [name.strip() for name in next(rows, [])]
        check_header(header, path)
        numbers, labels, lines = parse(rows, header, path)
    except csv.Error as error:
        raise RecordingError(f"{path} is no CSV that can be read: {error}") from error
    labelled = "label" in header
    channels = tuple(name for name in header if name not in ("time", "label"))
    finite = np.all(np.isfinite(numbers), axis=1)
    numbers, lines = numbers[finite], lines[finite]
    if len(numbers) < 2:
        raise RecordingError(f"{path} has {len(numbers)} usable rows; a recording needs at least two")
    times = np.ascontiguousarray(numbers[:, 0])
    back = np.flatnonzero(np.diff(times) <= 0)
    if len(back):
        row = int(back[0])
        raise RecordingError(
            f"{path}, line {lines[row + 1]}: time {times[row + 1]:g} comes after {times[row]:g}; times must "
            "increase. Sort the rows, or split the file where the clock was reset"
        )
    check_step(float(np.median(np.diff(times))), path)
    return Recording(
        name=path.stem,
        times=times,
        values=np.ascontiguousarray(numbers[:, 1:], dtype=np.float32),
        channels=channels,
        labels=np.asarray(labels, dtype=np.str_)[finite] if labelled else None,
        rate=_rate(times),
        dropped=int(len(finite) - finite.sum()) + cut,
        about=about,
    )


def _without_cut_line(text: str, about: dict[str, object]) -> tuple[str, int]:
    """The text less a last line that was cut, and how many lines that is."""
    start = text.rfind("\n") + 1
    last = text[start:]
    if not last or not start:
        return text, 0
    few = last.count(",") < text[: text.find("\n")].count(",")
    return (text[:start], 1) if few or about.get(COMPLETE) is False else (text, 0)


def check_header(header: list[str], path: Path) -> None:
    """Refuse a header that names no time, lacks an axis, or names a column twice."""
    missing = [name for name in ("time", *ACCELEROMETER) if name not in header]
    if missing:
        first = ",".join(header)
        for mark, name in ((";", "semicolons"), ("\t", "tabs")):
            if len(header) == 1 and mark in first:
                raise RecordingError(
                    f"{path} has {name} between its columns; a recording has commas there, and a point in "
                    "0.5: save it again as such a CSV"
                )
        shown = first if len(first) <= _SHOWN else first[:_SHOWN] + "…"
        raise RecordingError(
            f"{path} lacks the column{'s' if len(missing) > 1 else ''} {', '.join(missing)}; the first line "
            "must name them: time,acc_x,acc_y,acc_z[,gyr_x,gyr_y,gyr_z][,label] in s, m/s², rad/s. "
            + (f"It is: {shown}" if shown else "It is empty")
        )
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise RecordingError(f"{path} names the column {twice[0]!r} twice; each channel needs its own name")


def parse(
    rows: Iterator[list[str]], header: list[str], path: Path
) -> tuple[NDArray[np.float64], list[str], NDArray[np.int64]]:
    """Numbers (time first, then the channels in file order), labels and line numbers of every row."""
    label_at = header.index("label") if "label" in header else None
    order = [header.index("time"), *(i for i, name in enumerate(header) if name not in ("time", "label"))]
    numbers: list[list[float]] = []
    labels: list[str] = []
    lines: list[int] = []
    for line, row in enumerate(rows, start=2):
        if not row:
            continue
        if len(row) != len(header):
            raise RecordingError(
                f"{path}, line {line}: {len(row)} fields where the header names {len(header)}"
            )
        try:
            numbers.append([float(row[i]) if row[i].strip() else math.nan for i in order])
        except ValueError:
            raise RecordingError(f"{path}, line {line}: {_no_number(row, header, order)}") from None
        labels.append(row[label_at].strip() if label_at is not None else UNLABELLED)
        lines.append(line)
    table = np.array(numbers, dtype=np.float64).reshape(len(numbers), len(order))
    return table, labels, np.array(lines, dtype=np.int64)


def _no_number(row: list[str], header: list[str], order: list[int]) -> str:
    """Which field of a row is no number."""
    for i in order:
        try:
            float(row[i] or "nan")
        except ValueError:
            unit = ", in seconds" if header[i] == "time" else ""
            return f"{header[i]} is {row[i]!r}, and must be a number{unit}"
    raise AssertionError(row)  # pragma: no cover


def check_step(step: float, path: Path) -> None:
    """Refuse a median time between rows that no motion sensor has, in seconds."""
    if step <= _LONGEST_STEP:
        return
    name, factor = next((name, factor) for name, least, factor in _UNITS_OF_TIME if step >= least)
    raise RecordingError(
        f"{path}: from row to row, time grows by {step:g}, and it must be in seconds; it looks like {name}: "
        f"divide it by {factor:,}"
    )


def _rate(times: NDArray[np.float64]) -> float:
    """Inverse of the median interval, rounded to 1e-6 Hz so that 0.02 s reads as 50 Hz exactly."""
    return round(1.0 / float(np.median(np.diff(times))), 6)


def read_side_car(path: Path) -> dict[str, object]:
    """What is known of a recording beside its numbers; empty without a file.

    Raises:
        RecordingError: If it is there and cannot be read, or is no JSON.
    """
    try:
        if not path.is_file():
            return {}
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise RecordingError(f"{path} is not valid JSON in UTF-8; mend it, or move it away") from error
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:  # `.json` is a letter more than `.csv`
            return {}
        raise RecordingError(f"cannot read {path}: {error.strerror or error}") from error
    try:
        about = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RecordingError(f"{path} is not valid JSON: {error}; mend it, or move it away") from error
    return about if isinstance(about, dict) else {}

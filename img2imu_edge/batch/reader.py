"""Recordings of any length in bounded memory: checked as a whole first, then in blocks.

The sampling rate is the median over all intervals, and a file with a bad line is refused as a whole. So a
file is read once to the end, line by line, and what was read waits in a temporary file, or in memory while it
is small.
"""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice, repeat
from pathlib import Path
from typing import IO, TextIO

import numpy as np
from numpy.typing import NDArray

from img2imu_edge.errors import RecordingError
from img2imu_edge.recording import COMPLETE, check_header, check_step, parse, read_side_car
from img2imu_edge.samples import SampleBlock

ROWS = 4096
"""Rows that are read at once, and samples in a block."""

_IN_MEMORY = 4 << 20
_LONGEST_LINE = 1 << 16


@dataclass(frozen=True, slots=True)
class Spooled:
    """A recording that was read and checked, as `read_recording` does it, but is not held in memory.

    Attributes:
        rate: Sampling rate in Hz: the inverse of the median interval.
        channels: Names of the channels.
        samples: How many samples it has.
        dropped: Rows left out, as in `Recording`.
        seconds: From the first sample to the last.
    """

    rate: float
    channels: tuple[str, ...]
    samples: int
    dropped: int
    seconds: float
    _file: IO[bytes]
    _row: np.dtype[np.void]

    def blocks(self) -> Iterator[SampleBlock]:
        """Its samples in blocks, from the start."""
        for part in _parts(self._file, self._row):
            yield SampleBlock(part["time"].copy(), part["values"].copy(), self.channels)


@contextmanager
def spooled(path: Path, folder: Path) -> Iterator[Spooled]:
    """Read and check a recording of any length.

    Args:
        path: The CSV.
        folder: Where a long one may wait in a file without a name.

    Yields:
        The recording; it can be read until the context is left.

    Raises:
        RecordingError: What `read_recording` raises it for; also for a line of more than 64 KiB.
        OSError: If there is no room in the folder.
    """
    about = read_side_car(path.with_suffix(".json"))
    with tempfile.SpooledTemporaryFile(_IN_MEMORY, dir=str(folder)) as file, _text(path) as text:
        lines = _Lines(text, path, about.get(COMPLETE) is False)
        rest = iter(lines)
        header = [name.strip() for name in next(csv.reader(rest), [])]
        check_header(header, path)
        channels = tuple(name for name in header if name not in ("time", "label"))
        row = np.dtype([("time", np.float64), ("values", np.float32, (len(channels),))])
        samples, dropped, first, last = 0, 0, 0.0, -np.inf
        for numbers, at in _tables(rest, header, path):
            finite: NDArray[np.bool_] = np.all(np.isfinite(numbers), axis=1)
            dropped += int(len(finite) - finite.sum())
            numbers, at = numbers[finite], at[finite]
            if not len(numbers):
                continue
            times = numbers[:, 0]
            _check_order(times, last, at, path)
            table = np.empty(len(numbers), row)
            table["time"], table["values"] = times, numbers[:, 1:]
            file.write(table.tobytes())
            first, last = first if samples else float(times[0]), float(times[-1])
            samples += len(numbers)
        if samples < 2:
            raise RecordingError(f"{path} has {samples} usable rows; a recording needs at least two")
        step = _median(lambda: _steps(file, row), samples - 1)
        check_step(step, path)
        yield Spooled(round(1.0 / step, 6), channels, samples, dropped + lines.cut, last - first, file, row)


@contextmanager
def _text(path: Path) -> Iterator[TextIO]:
    try:
        if path.exists() and not path.is_file():  # a pipe would wait for ever
            raise RecordingError(f"{path} is not a file; a recording is a CSV in UTF-8")
        file = path.open(encoding="utf-8-sig")
    except OSError as error:
        raise RecordingError(f"cannot read {path}: {error.strerror or error}") from error
    with file:
        yield file


class _Lines:
    """Lines of a recording, less a last one that was cut, as `read_recording` takes them."""

    def __init__(self, text: TextIO, path: Path, incomplete: bool) -> None:
        self._text, self._path, self._incomplete = text, path, incomplete
        self._commas: int | None = None
        self.cut = 0

    def __iter__(self) -> Iterator[str]:
        while line := self._line():
            if self._commas is None:
                self._commas = line.count(",")
            elif not line.endswith("\n") and (self._incomplete or line.count(",") < self._commas):
                self.cut = 1
                return
            yield line

    def _line(self) -> str:
        try:
            line = self._text.readline(_LONGEST_LINE)
        except OSError as error:
            raise RecordingError(f"cannot read {self._path}: {error.strerror or error}") from error
        except UnicodeDecodeError:
            line = "\0"
        if "\0" in line or len(line) == _LONGEST_LINE:
            raise RecordingError(f"{self._path} is not a text file; a recording is a CSV in UTF-8")
        return line


def _tables(
    lines: Iterator[str], header: list[str], path: Path
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.int64]]]:
    """Numbers of some rows at a time, time first, and the lines that they are from."""
    order = [header.index("time"), *(i for i, name in enumerate(header) if name not in ("time", "label"))]
    done = 0
    while some := list(islice(lines, ROWS)):
        text = "".join(some)
        if '"' in text:  # from here on, a row may be several lines
            yield from _rows(csv.reader(chain(some, lines)), done, header, path)
            return
        numbers = _plain(text, some, len(header))
        if numbers is not None:
            yield numbers[:, order], np.arange(done + 2, done + 2 + len(numbers))
        else:
            yield from _rows(csv.reader(some), done, header, path)
        done += len(some)


def _plain(text: str, lines: list[str], columns: int) -> NDArray[np.float64] | None:
    """What most files hold, three times as fast: numbers, none missing. None if there is anything else."""
    if text.encode().translate(None, b"0123456789.,+-eE\n") or "\n\n" in text or text.startswith("\n"):
        return None
    try:
        numbers: NDArray[np.float64] = np.loadtxt(lines, delimiter=",", comments=None, ndmin=2)
    except ValueError:
        return None
    return numbers if numbers.shape[1] == columns else None


def _rows(
    rows: Iterator[list[str]], done: int, header: list[str], path: Path
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.int64]]]:
    """The same by way of `read_recording`'s parser, which tells what is wrong."""
    while True:
        try:
            some = list(islice(rows, ROWS))
        except csv.Error as error:
            raise RecordingError(f"{path} is not a CSV: {error}") from error
        if not some:
            return
        try:
            numbers, _, at = parse(iter(some), header, path)
        except (
            RecordingError
        ):  # again, with what came before as empty rows, such that it names the right line
            parse(chain(repeat([], done), some), header, path)
            raise
        yield numbers, at + done
        done += len(some)


def _check_order(times: NDArray[np.float64], before: float, lines: NDArray[np.int64], path: Path) -> None:
    befores = np.concatenate([[before], times[:-1]])
    back = np.flatnonzero(times <= befores)
    if len(back):
        at = int(back[0])
        raise RecordingError(
            f"{path}, line {lines[at]}: time {times[at]:g} comes after {befores[at]:g}; times must "
            "increase. Sort the rows, or split the file where the clock was reset"
        )


def _parts(file: IO[bytes], row: np.dtype[np.void]) -> Iterator[NDArray[np.void]]:
    file.seek(0)
    while content := file.read(ROWS * row.itemsize):
        yield np.frombuffer(content, row)


def _steps(file: IO[bytes], row: np.dtype[np.void]) -> Iterator[NDArray[np.float64]]:
    """The intervals between samples."""
    before = np.empty(0)
    for part in _parts(file, row):
        times = np.concatenate([before, part["time"]])
        before = times[-1:]
        yield np.diff(times)


def _median(numbers: Callable[[], Iterator[NDArray[np.float64]]], count: int) -> float:
    """The median of positive numbers that are read several times instead of being held."""
    lower, upper = _ranked(numbers, (count - 1) // 2), _ranked(numbers, count // 2)
    return (lower + upper) / 2


def _ranked(numbers: Callable[[], Iterator[NDArray[np.float64]]], rank: int) -> float:
    """The number of this rank: positive floats are in the order of their bits, found 16 at a time."""
    found = 0
    for shift in (48, 32, 16, 0):
        counts = np.zeros(1 << 16, np.int64)
        for some in numbers():
            bits = some.view(np.uint64) >> np.uint64(shift)
            like = bits[(bits >> np.uint64(16)) == found] & np.uint64(0xFFFF)
            counts += np.bincount(like.astype(np.int64), minlength=1 << 16)
        sums = np.cumsum(counts)
        digit = int(np.searchsorted(sums, rank, side="right"))
        rank -= int(sums[digit - 1]) if digit else 0
        found = found << 16 | digit
    return float(np.uint64(found).view(np.float64))

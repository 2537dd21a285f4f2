"""Writing recordings so that nothing that was received is lost, whatever ends the writing.

What `read_recording` and fine-tuning read: a CSV, and beside it a JSON file that says where it comes from.
"""

from __future__ import annotations

import csv
import errno
import io
import json
import math
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import numpy as np

from img2imu_edge.errors import RecordingError
from img2imu_edge.recording import COMPLETE
from img2imu_edge.samples import SampleBlock

_UNITS: Final = {"time": "s", "acc": "m/s²", "gyr": "rad/s"}
_MOST_NUMBERS: Final = 100_000
_ROWS: Final = 32


class RecordingWriter:
    """Writes one recording; each block is with the system when `write` returns, and on disk after `sync`.

    The side-car is written at the start, saying that the recording is not complete, and again at the end.

    Attributes:
        path: The CSV.
        seconds: From the first sample to the last.
        samples: Rows written, by label.
        skipped: Samples left out because their time does not follow the one before; the side-car tells.
    """

    def __init__(self, path: Path, channels: Sequence[str], about: Mapping[str, object]) -> None:
        """Create the files.

        Args:
            path: The CSV; the side-car is of the same name, ending in `.json`.
            channels: The columns.
            about: What the side-car shall say: subject, placement, device, rate …

        Raises:
            FileExistsError: If there is one of them already.
            RecordingError: If they cannot be written.
        """
        self.path = path
        self.samples: Counter[str] = Counter()
        self.seconds = 0.0
        self.skipped = 0
        self._channels = tuple(channels)
        self._about = {
            **about,
            "channels": list(channels),
            "units": {k: v for k, v in _UNITS.items() if k == "time" or any(c[:3] == k for c in channels)},
            "started": _now(),
            COMPLETE: False,
        }
        self._first = self._last = -math.inf
        if self._side_car.exists():
            raise FileExistsError(self._side_car)
        try:
            self._file = path.open("xb", buffering=0)
        except FileExistsError:
            raise
        except OSError as error:
            raise RecordingError(f"cannot write {path}: {error.strerror or error}") from error
        self._end = 0
        try:
            self._write_side_car()
            self._append(["time", *channels, "label"])
        except BaseException:
            self._file.close()
            path.unlink()
            self._side_car.unlink(missing_ok=True)
            raise

    @property
    def _side_car(self) -> Path:
        return self.path.with_suffix(".json")

    def write(self, block: SampleBlock, labels: Sequence[str]) -> None:
        """Append samples; gaps stay gaps, values that are not finite stay empty.

        Args:
            block: The samples.
            labels: One for each, empty for none.

        Raises:
            RecordingError: If the disk is full, or the file cannot be written for another reason. What was
                written before stays readable.
        """
        if block.channels != self._channels:
            raise ValueError(f"the recording has {self._channels}, not {block.channels}")
        rows = []
        last = self._last
        for at, row, label in zip(block.times.tolist(), block.values, labels, strict=True):
            if self._first == -math.inf and math.isfinite(at):
                self._first = at
            time = round(at - self._first, 6)
            if not last < time < math.inf:  # NaN neither
                self.skipped += 1
                continue
            last = time
            # The shortest decimal that reads as the same float32.
            rows.append([f"{time:.6f}", *(str(v) if np.isfinite(v) else "" for v in row), label])
        for start in range(0, len(rows), _ROWS):  # on a full disk, not all of a large block is lost
            some = rows[start : start + _ROWS]
            self._append(*some)
            self.seconds = self._last = float(some[-1][0])
            self.samples.update(row[-1] for row in some)

    def sync(self) -> None:
        """Have the system write to the disk; may take a while, and may be called from another thread.

        Raises:
            RecordingError: If the disk is full.
        """
        try:
            os.fsync(self._file.fileno())
        except OSError as error:
            raise RecordingError(self._explain(error)) from error

    def close(self, about: Mapping[str, object] | None = None) -> None:
        """Complete the side-car, with what is known in the end; closing twice does no harm.

        Raises:
            RecordingError: If the side-car cannot be written; the recording is readable all the same.
        """
        if self._file.closed:
            return
        with suppress(OSError):
            os.fsync(self._file.fileno())
        self._file.close()
        self._about |= {
            "ended": _now(),
            "seconds": round(self.seconds, 3),
            "samples": self.samples.total(),
            "labels": dict(self.samples),
            **({"skipped": self.skipped} if self.skipped else {}),
            **(about or {}),
            COMPLETE: True,
        }
        self._write_side_car()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.close()

    def _append(self, *rows: Sequence[str]) -> None:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(rows)
        left = memoryview(text.getvalue().encode())
        try:
            while left:
                left = left[self._file.write(left) :]
        except OSError as error:
            with suppress(OSError):  # a row that was cut goes
                self._file.truncate(self._end)
                self._file.seek(self._end)
            raise RecordingError(self._explain(error)) from error
        self._end = self._file.tell()

    def _write_side_car(self) -> None:
        """Replace it in one step: whoever reads it finds the old one or the new one."""
        new = self.path.with_suffix(".json.new")
        try:
            with new.open("w", encoding="utf-8") as file:
                json.dump(self._about, file, ensure_ascii=False, indent=1)
                file.write("\n")
                file.flush()
                os.fsync(file.fileno())
            new.replace(self._side_car)
        except OSError as error:
            with suppress(OSError):
                new.unlink(missing_ok=True)
            raise RecordingError(self._explain(error)) from error

    def _explain(self, error: OSError) -> str:
        saved = f"The {self.samples.total()} samples before ({self.seconds:.1f} s) are safe in {self.path}"
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return f"the disk is full. {saved}; make room, and record on: it goes into another file"
        if error.errno == errno.EFBIG:
            return f"{self.path} became as large as a file may be here. {saved}; record on into another file"
        return f"cannot write {self.path}: {error.strerror or error}. {saved}"


def create_recording(
    folder: Path, name: str, channels: Sequence[str], about: Mapping[str, object]
) -> RecordingWriter:
    """A writer for the next file of a name that is not taken yet, such as `ann-002.csv`.

    Args:
        folder: Where to; made if it does not exist.
        name: What its name begins with; what cannot be in a file's name becomes `_`.
        channels: The columns.
        about: What the side-car shall say.

    Raises:
        RecordingError: If it cannot be written.
    """
    stem = re.sub(r"[^\w.-]+", "_", name).strip("._") or "recording"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        taken = [p.stem for p in folder.glob(f"{stem}-*") if p.suffix in (".csv", ".json")]
    except FileExistsError as error:
        raise RecordingError(
            f"{folder} is a file; give a folder, and each recording gets its own file"
        ) from error
    except OSError as error:
        raise RecordingError(f"cannot write into {folder}: {error.strerror or error}") from error
    numbers = [int(t[len(stem) + 1 :]) for t in taken if re.fullmatch(r"\d{1,5}", t[len(stem) + 1 :])]
    for number in range(max(numbers, default=0) + 1, _MOST_NUMBERS):
        with suppress(FileExistsError):  # somebody else was quicker
            return RecordingWriter(folder / f"{stem}-{number:03d}.csv", channels, about)
    raise RecordingError(f"{folder} holds too many recordings of {name!r}; choose another folder")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")

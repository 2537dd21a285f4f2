"""CSV: one decision a row, for spreadsheets and pandas."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, TextIO
from urllib.parse import SplitResult, unquote

from img2imu_edge.columns import FIELDS, score_cells, score_columns
from img2imu_edge.decision import Decision
from img2imu_edge.sinks.files import cannot_write, open_text
from img2imu_edge.sinks.messages import Decided, Message

COLUMNS: Final = ("at", "source", *FIELDS, "latency_ms")
"""`at` is the time of day (UTC), `time` the device's. A column `score_…` for each class comes after these."""


def open_csv(url: SplitResult, labels: Sequence[str]) -> CsvSink:
    """The sink behind a path that ends with `.csv`."""
    return CsvSink(Path(unquote(url.netloc + url.path)), labels)


def write_csv(path: Path, source: str, decisions: Iterable[Decision], labels: Sequence[str]) -> None:
    """Write a recording's decisions: the file that a live run gives, `at` and `latency_ms` left empty.

    Args:
        path: The file, replaced if it exists.
        source: The recording's name.
        decisions: Its decisions.
        labels: The model's classes.

    Raises:
        OutputError: If it cannot be written, or a recording would be lost.
    """
    try:
        with open_text(path) as file:
            writer = csv.writer(file)
            writer.writerow((*COLUMNS, *score_columns(labels)))
            writer.writerows(_row(None, source, decision, labels) for decision in decisions)
    except OSError as error:
        raise cannot_write(path, error) from error


class CsvSink:
    """Writes decisions as rows; events and counters have no place in a table, see `Sink`.

    Args:
        path: The file, replaced if it exists.
        labels: The model's classes: each is a column.
    """

    def __init__(self, path: Path, labels: Sequence[str] = ()) -> None:
        self.url, self.warnings = str(path), list[str]()
        self._path, self._labels = path, tuple(labels)
        self._file: TextIO | None = None

    def start(self) -> None:
        """Open the file and write the heading.

        Raises:
            OutputError: If it cannot be written.
        """
        self._file = open_text(self._path)
        try:
            csv.writer(self._file).writerow((*COLUMNS, *score_columns(self._labels)))
        except OSError as error:
            raise cannot_write(self._path, error) from error

    def take(self, message: Message) -> None:
        """Write a row, and hand it to the system at once."""
        if self._file is None or not isinstance(message, Decided):
            return
        row = _row(message.time_of_day, message.source, message.decision, self._labels)
        csv.writer(self._file).writerow(row)

    def close(self) -> int:
        """Close the file."""
        if self._file:
            self._file.close()
        return 0


def _row(at: str | None, source: str, decision: Decision, labels: Sequence[str]) -> list[object]:
    own = (getattr(decision, name) for name in FIELDS)
    return [at, source, *own, decision.latency_ms, *score_cells(decision, labels)]

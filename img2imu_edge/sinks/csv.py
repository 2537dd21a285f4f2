"""CSV: one decision a row, for spreadsheets and pandas."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TextIO
from urllib.parse import SplitResult, unquote

from img2imu_edge.errors import OutputError
from img2imu_edge.sinks.files import open_text
from img2imu_edge.sinks.messages import Decided, Message

COLUMNS: Final = (
    "at", "source", "time", "label", "confidence", "coverage", "status", "novelty", "latency_ms",
)  # fmt: skip
"""`at` is the time of day (UTC), `time` the device's; a cell is empty where there is no answer."""


def open_csv(url: SplitResult) -> CsvSink:
    """The sink behind a path that ends with `.csv`."""
    return CsvSink(Path(unquote(url.netloc + url.path)))


class CsvSink:
    """Writes decisions as rows; events and counters have no place in a table, see `Sink`.

    Args:
        path: The file, replaced if it exists.
    """

    def __init__(self, path: Path) -> None:
        self.url, self.warnings = str(path), list[str]()
        self._path = path
        self._file: TextIO | None = None

    def start(self) -> None:
        """Open the file and write the heading.

        Raises:
            OutputError: If it cannot be written.
        """
        self._file = open_text(self._path)
        try:
            csv.writer(self._file).writerow(COLUMNS)
        except OSError as error:
            raise OutputError(f"cannot write {self._path}: {error.strerror or error}") from error

    def take(self, message: Message) -> None:
        """Write a row, and hand it to the system at once."""
        if self._file is None or not isinstance(message, Decided):
            return
        cells = {**message.as_dict(), "at": iso(message.at)}
        csv.writer(self._file).writerow([cells.get(name) for name in COLUMNS])

    def close(self) -> int:
        """Close the file."""
        if self._file:
            self._file.close()
        return 0


def iso(seconds: float) -> str:
    """Seconds since 1970 as ISO 8601, in UTC, with milliseconds."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")

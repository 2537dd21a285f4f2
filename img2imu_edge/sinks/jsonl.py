"""JSON lines: one decision a line, on disk or on standard output as soon as it is made."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import SplitResult, unquote

from img2imu_edge.decision import Decision
from img2imu_edge.errors import OutputError
from img2imu_edge.sinks.files import open_stdout, open_text
from img2imu_edge.sinks.messages import Counters, Message


def open_jsonl(url: SplitResult, _labels: Sequence[str]) -> JsonLinesSink:
    """The sink behind a path."""
    return JsonLinesSink(Path(unquote(url.netloc + url.path)))


class JsonLines:
    """Writes each decision as one line of JSON.

    Args:
        path: The file, replaced if it exists; None for standard output.

    Raises:
        OutputError: If the file cannot be written, also when it is written to.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._file: TextIO = open_text(path) if path else sys.stdout

    def write(self, source: str, decision: Decision) -> None:
        """Write one decision of a source, and hand it to the system at once."""
        self.write_object({"source": source, **decision.as_dict()})

    def write_object(self, data: dict[str, Any]) -> None:
        """Write any other event as a line."""
        try:
            self._file.write(json.dumps(data, ensure_ascii=False) + "\n")
            self._file.flush()
        except OSError as error:
            if self._path is None:  # a reader of standard output that has left is no error
                raise
            raise OutputError(f"cannot write {self._path}: {error.strerror or error}") from error

    def close(self) -> None:
        """Close the file; standard output stays open."""
        if self._path:
            self._file.close()


class JsonLinesSink:
    """JSON lines as a `Sink`: decisions and events, no counters.

    Args:
        path: The file, replaced if it exists; None for standard output.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.url = str(path) if path else "standard output"
        self.warnings: list[str] = []
        self._path = path
        self._file: TextIO | None = None

    def start(self) -> None:
        """Open the file.

        Raises:
            OutputError: If it cannot be written.
        """
        self._file = open_text(self._path) if self._path else open_stdout()

    def take(self, message: Message) -> None:
        """Write a line, and hand it to the system at once."""
        if self._file and not isinstance(message, Counters):
            self._file.write(json.dumps(message.as_dict(), ensure_ascii=False) + "\n")

    def close(self) -> int:
        """Close the file."""
        if self._file and self._path:
            self._file.close()
        return 0

"""JSON lines: one decision a line, on disk or on standard output as soon as it is made."""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import SplitResult, unquote

from img2imu_edge.decision import Decision
from img2imu_edge.errors import Img2ImuError
from img2imu_edge.sinks.messages import Counters, Message


def open_jsonl(url: SplitResult) -> JsonLinesSink:
    """The sink behind a path."""
    return JsonLinesSink(Path(unquote(url.netloc + url.path)))


class JsonLines:
    """Writes each decision as one line of JSON.

    Args:
        path: The file, replaced if it exists; None for standard output.
        stream: Written to instead, if there is no path.

    Raises:
        Img2ImuError: If the file cannot be written.
    """

    def __init__(self, path: Path | None = None, stream: TextIO | None = None) -> None:
        self._own = path is not None
        try:
            self._file: TextIO = path.open("w", encoding="utf-8") if path else stream or sys.stdout
        except OSError as error:
            raise Img2ImuError(f"cannot write {path}: {error.strerror or error}") from error

    def write(self, source: str, decision: Decision) -> None:
        """Write one decision of a source, and hand it to the system at once."""
        self.write_object({"source": source, **decision.as_dict()})

    def write_object(self, data: dict[str, Any]) -> None:
        """Write any other event as a line."""
        self._file.write(json.dumps(data, ensure_ascii=False) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file; standard output stays open."""
        if self._own:
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
        self._lines: JsonLines | None = None

    def start(self) -> None:
        """Open the file.

        Raises:
            Img2ImuError: If it cannot be written.
        """
        self._lines = JsonLines(self._path, None if self._path else _unbuffered_stdout())

    def take(self, message: Message) -> None:
        """Write a line, and hand it to the system at once."""
        if self._lines and not isinstance(message, Counters):
            self._lines.write_object(message.as_dict())

    def close(self) -> int:
        """Close the file; standard output stays open."""
        if self._lines:
            self._lines.close()
        return 0


def _unbuffered_stdout() -> TextIO | None:
    """Standard output without a buffer, whose lock Python would need at its end, while a write waits."""
    try:
        raw = io.FileIO(os.dup(sys.stdout.fileno()), "w")
    except (OSError, ValueError):  # standard output is not a file here
        return None
    return io.TextIOWrapper(raw, encoding="utf-8", write_through=True)

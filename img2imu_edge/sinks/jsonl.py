"""JSON lines: one decision a line, on disk or on standard output as soon as it is made."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TextIO
from urllib.parse import SplitResult, unquote

from img2imu_edge.decision import Decision
from img2imu_edge.sinks.files import cannot_write, open_stdout, open_text
from img2imu_edge.sinks.messages import Counters, Decided, Message


def open_jsonl(url: SplitResult, _labels: Sequence[str]) -> JsonLinesSink:
    """The sink behind a path."""
    return JsonLinesSink(Path(unquote(url.netloc + url.path)))


def write_jsonl(path: Path | None, source: str, decisions: Iterable[Decision]) -> None:
    """Write a recording's decisions: the lines that a live run gives.

    Args:
        path: The file, replaced if it exists; None for standard output.
        source: The recording's name.
        decisions: Its decisions.

    Raises:
        OutputError: If it cannot be written, or a recording would be lost.
        BrokenPipeError: If standard output is a pipe whose reader has left.
    """
    sink = JsonLinesSink(path)
    sink.start()
    try:
        for decision in decisions:
            sink.take(Decided(source, decision))
    except BrokenPipeError:
        raise
    except OSError as error:
        raise cannot_write(sink.url, error) from error
    finally:
        sink.close()


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

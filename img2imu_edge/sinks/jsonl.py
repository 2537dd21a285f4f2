"""JSON lines: one decision a line, on disk or on standard output as soon as it is made."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, TextIO

from img2imu_edge.decision import Decision
from img2imu_edge.errors import Img2ImuError


class JsonLines:
    """Writes each decision as one line of JSON.

    Args:
        path: The file, replaced if it exists; None for standard output.

    Raises:
        Img2ImuError: If the file cannot be written.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._own = path is not None
        try:
            self._file: TextIO = path.open("w", encoding="utf-8") if path else sys.stdout
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

"""Text files without a buffer: a line is with the system once it is written, or it is known to be lost."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import TextIO

from img2imu_edge.errors import OutputError


def open_text(path: Path) -> TextIO:
    """A new file, in the place of the one there.

    Raises:
        OutputError: If it cannot be written.
    """
    try:
        return _unbuffered(io.FileIO(path, "w"))
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error


def open_stdout() -> TextIO:
    """Standard output. A write that waits holds no lock, which Python would want at its end."""
    try:
        return _unbuffered(io.FileIO(os.dup(sys.stdout.fileno()), "w"))
    except (OSError, ValueError):  # it is no file here
        return sys.stdout


def _unbuffered(raw: io.FileIO) -> TextIO:
    return io.TextIOWrapper(raw, encoding="utf-8", newline="", write_through=True)

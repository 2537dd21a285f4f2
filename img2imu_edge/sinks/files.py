"""Text files without a buffer: a line is with the system once it is written, or it is known to be lost."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from img2imu_edge.errors import OutputError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


def open_text(path: Path) -> TextIO:
    """A new file, in the place of the one there.

    Raises:
        OutputError: If it cannot be written.
    """
    try:
        return _unbuffered(_WholeLines(path, "w"))
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error


def open_stdout() -> TextIO:
    """Standard output. A write that waits holds no lock, which Python would want at its end."""
    try:
        return _unbuffered(_WholeLines(os.dup(sys.stdout.fileno()), "w"))
    except (OSError, ValueError):  # it is no file here
        return sys.stdout


def _unbuffered(raw: io.FileIO) -> TextIO:
    return io.TextIOWrapper(raw, encoding="utf-8", newline="", write_through=True)


class _WholeLines(io.FileIO):
    """A disk that gets full takes a part of a line: it is taken back, so that later ones stay whole."""

    def write(self, data: ReadableBuffer, /) -> int:
        left, done = memoryview(data), 0
        try:
            while done < len(left):
                written = super().write(left[done:])
                if written is None:
                    raise BlockingIOError("nobody reads")
                done += written
        except OSError:
            if done and self.seekable():
                start = self.tell() - done
                self.truncate(start)
                self.seek(start)
            raise
        return done

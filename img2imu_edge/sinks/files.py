"""Text files without a buffer: a line is with the system once it is written, or it is known to be lost."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from img2imu_edge.errors import OutputError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


def open_text(path: Path) -> TextIO:
    """A new file, in the place of the one there.

    Raises:
        OutputError: If it cannot be written, or a recording would be lost.
    """
    keep_recording(path)
    try:
        return _unbuffered(_WholeLines(path, "w"))
    except OSError as error:
        raise cannot_write(path, error) from error


def cannot_write(path: Path | str, error: OSError) -> OutputError:
    """Why an output's file cannot be written, and what to do."""
    advice = {
        errno.ENOENT: f"make its folder first: mkdir -p {shlex.quote(str(Path(path).parent))}",
        errno.EISDIR: "name a file in it",
        errno.ENOSPC: "make room, or choose another place",
    }
    told = advice.get(error.errno or 0, "choose another place")
    return OutputError(f"cannot write {path}: {error.strerror or error}; {told}")


def keep_recording(path: Path) -> None:
    """See to it that decisions do not take the place of samples, as with `classify walk.csv --out walk.csv`.

    Raises:
        OutputError: If the file that is there is a recording.
    """
    with contextlib.suppress(OSError):  # what cannot be read is for who writes it to tell
        if path.is_file():
            with path.open("rb") as file:
                columns = file.readline(1000).decode("utf-8-sig", "replace").split(",")
            if {"time", "acc_x"} <= {column.strip() for column in columns}:
                raise OutputError(f"{path} is a recording, which would be lost; choose another name")


def open_stdout() -> TextIO:
    """Standard output. A write that waits holds no lock, which Python would want at its end."""
    try:
        return _unbuffered(_WholeLines(os.dup(sys.stdout.fileno()), "w"))
    except (OSError, ValueError):  # it is no file here
        return sys.stdout


def _unbuffered(raw: io.FileIO) -> TextIO:
    # A file's name may be any bytes: what is no UTF-8 is written as an escape, which JSON reads as it was.
    return io.TextIOWrapper(raw, "utf-8", errors="backslashreplace", newline="", write_through=True)


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

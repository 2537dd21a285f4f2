"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

from img2imu_edge.errors import ModelError


def write_whole(path: Path, content: bytes) -> None:
    """Write a file such that its name never stands for half of it, whatever interrupts.

    Args:
        path: Where to write; its directory is made if need be. A file that is there is replaced, and who may
            read it stays as it is.
        content: What to write.

    Raises:
        ModelError: If that cannot be done; what was there before is still there.
    """
    path = path.resolve()  # a link stays one
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else None
        unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        # The process' umask is left to the system: to read it is to change it, for all threads.
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        descriptor = os.open(unfinished, flags, 0o666 if mode is None else 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            if mode is not None:
                unfinished.chmod(mode)
            unfinished.replace(path)
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise cannot_write(path, error) from error


def cannot_write(path: Path, error: OSError) -> ModelError:
    """Why a file or a directory cannot be written, and what to do."""
    if path.is_dir() and isinstance(error, IsADirectoryError | PermissionError | NotADirectoryError):
        return ModelError(f"{path} is a folder that is in the way, or closed: move it, or choose another")
    return ModelError(
        f"cannot write {path}: {error.strerror or error}; nothing was left half-written: "
        "make room, or choose another directory"
    )

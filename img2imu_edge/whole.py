"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import tempfile
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
        mode = path.stat().st_mode if path.exists() else 0o666 & ~_umask()  # mkstemp's are the owner's alone
        descriptor, unfinished = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(unfinished, mode)  # noqa: PTH101
            os.replace(unfinished, path)  # noqa: PTH105
        except BaseException:
            Path(unfinished).unlink(missing_ok=True)
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


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask

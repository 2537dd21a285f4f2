"""Writing files whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from img2imu_edge.errors import ModelError


def write_whole(path: Path, content: bytes) -> None:
    """Write a file such that its name never stands for half of it, whatever interrupts.

    Args:
        path: Where to write; its directory is made if need be.
        content: What to write.

    Raises:
        ModelError: If that cannot be done; what was there before is still there.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, unfinished = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(unfinished, 0o666 & ~_umask())  # noqa: PTH101 - mkstemp's are the owner's alone
            os.replace(unfinished, path)  # noqa: PTH105
        except BaseException:
            Path(unfinished).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise _explained(path, error) from error


def check_writable(directory: Path) -> None:
    """See that files can be written to a directory, before minutes are spent on what goes there.

    Args:
        directory: It is made if need be.

    Raises:
        ModelError: If they cannot.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=directory, prefix=".img2imu."):
            pass
    except OSError as error:
        raise _explained(directory, error) from error


def _explained(path: Path, error: OSError) -> ModelError:
    if path.is_dir() and isinstance(error, IsADirectoryError | PermissionError | NotADirectoryError):
        return ModelError(
            f"{path} is a folder that is in the way, or closed: move it, or choose another with -o"
        )
    return ModelError(
        f"cannot write {path}: {error.strerror or error}; nothing was left half-written: "
        "make room, or choose another directory with -o"
    )


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask

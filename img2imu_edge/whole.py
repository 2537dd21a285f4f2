"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from img2imu_edge.errors import ModelError


def replace_whole(path: Path, content: bytes) -> None:
    """Replace what is in a file, such that its name never stands for half of it, whatever interrupts.

    Args:
        path: A file that is there; who may read it stays as it is.
        content: What to write.

    Raises:
        ModelError: If it cannot be written; then it is as it was.
    """
    path = path.resolve()  # a link stays one
    try:
        mode = path.stat().st_mode
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
        raise ModelError(f"{path} cannot be written, and is as it was: {error.strerror}") from error

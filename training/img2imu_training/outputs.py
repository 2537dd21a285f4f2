"""Files to be written: whether they can be, asked before the work and not after it."""

from __future__ import annotations

import os
from pathlib import Path

from img2imu_edge.errors import TrainingError


def make_room(path: Path, option: str) -> None:
    """Make a file's folder where it is missing, and see that the file can be written.

    Args:
        path: The file; it may exist, and will be overwritten.
        option: What names it on the command line.

    Raises:
        TrainingError: If it cannot.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TrainingError(
            f"cannot make the folder {path.parent}: {error.strerror or error}; choose another with {option}"
        ) from error
    if path.is_dir():
        raise TrainingError(f"{path} is a folder; name a file in it with {option}")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise TrainingError(f"{path} may not be written; choose another with {option}")

"""Files to be written: whether they can be, asked before the work and not after it."""

from __future__ import annotations

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
    if path.is_dir():
        raise TrainingError(f"{path} is a folder; name a file in it with {option}")
    new = not path.exists()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab"):
            pass
        if new:
            path.unlink()
    except OSError as error:
        raise TrainingError(
            f"cannot write {path}: {error.strerror or error}; choose another place with {option}"
        ) from error

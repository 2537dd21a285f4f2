"""Whether there is anywhere to write to."""

from __future__ import annotations

import tempfile
from pathlib import Path

from img2imu_edge.whole import cannot_write


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
        raise cannot_write(directory, error) from error

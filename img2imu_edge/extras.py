"""Packages that come with an extra, and that most people do without."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from img2imu_edge.errors import MissingExtraError


@contextmanager
def extra(name: str, what: str) -> Iterator[None]:
    """Around imports of an extra's packages: where one is missing, the error says how to get it.

    Args:
        name: The extra.
        what: What needs it, such as `mqtt://`.

    Raises:
        MissingExtraError: If a package is not installed.
    """
    try:
        yield
    except ImportError as error:
        raise MissingExtraError(
            f"{what} needs {error.name or 'a package'}; get it with: pip install 'img2imu-edge[{name}]'"
        ) from error

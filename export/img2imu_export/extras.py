"""Optional packages, imported where they are needed; a missing one is an error that says how to get it."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from img2imu_edge.errors import MissingExtraError


def need(module: str, extra: str = "export") -> Any:
    """Import a module that comes with an extra of this package.

    Args:
        module: Its full name.
        extra: The extra.

    Raises:
        MissingExtraError: If it, or something that it needs, is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f"this export needs {error.name or module}; get it with: pip install 'img2imu-edge[{extra}]'"
        ) from error

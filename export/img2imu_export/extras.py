"""Optional packages, imported where they are needed; a missing one is an error that says how to get it."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from img2imu_edge.errors import MissingExtraError


def need(module: str) -> Any:
    """Import a module of the `export` extra.

    Args:
        module: Its full name.

    Raises:
        MissingExtraError: If it, or something that it needs, is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f"this export needs {error.name or module}; get it with: pip install 'img2imu-edge[export]'"
        ) from error

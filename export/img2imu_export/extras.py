"""Optional packages, imported where they are needed; a missing one is an error that says how to get it."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from img2imu_edge.extras import extra as edge_extra


def need(module: str, extra: str = "export") -> Any:
    """Import a module that comes with an extra of this package.

    Args:
        module: Its full name.
        extra: The extra.

    Raises:
        MissingExtraError: If it, or something that it needs, is not installed.
    """
    with edge_extra(extra, "this export"):
        return import_module(module)

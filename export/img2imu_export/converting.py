"""Converters' failures, said in one line: their own tracebacks tell of their own insides."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

from img2imu_edge.errors import Img2ImuError, ModelError

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


@contextlib.contextmanager
def converting(converter: str) -> Iterator[None]:
    """Turn whatever a converter raises into a `ModelError` that names the converter and the first cause.

    Args:
        converter: Its name, for people.

    Raises:
        ModelError: If the converter fails, for any reason.
    """
    try:
        yield
    except Img2ImuError:
        raise
    except Exception as error:  # converters raise whatever they like
        raise ModelError(
            f"{converter} cannot convert this network: {reason(error)}; "
            "try another kind of file (--to), or train with one of the backbones of img2imu train"
        ) from error


def reason(error: BaseException) -> str:
    """The first line of what an error began with."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = _COLOURS.sub("", str(error)).strip().splitlines()
    return lines[0].rstrip(". ") if lines else type(error).__name__

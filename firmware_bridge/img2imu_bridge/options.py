"""What sources' URLs have in common beside their options: a path, a speed."""

from __future__ import annotations

import math
from typing import Self
from urllib.parse import SplitResult, unquote

from img2imu_edge.errors import SourceError


class Speed(float):
    """How many times faster than life; 0, also written `max`, for as fast as it is taken."""

    def __new__(cls, value: str | float = 1.0) -> Self:
        """Check the value, as every option's type does."""
        try:
            speed = super().__new__(cls, 0.0 if value == "max" else value)
        except ValueError:
            speed = super().__new__(cls, math.nan)
        if not 0 <= speed < math.inf:
            raise ValueError("must be 0 or more, or max")
        return speed


REAL_TIME = Speed(1)


def path_of(url: SplitResult) -> str:
    """The path of a URL, with `%20` and the like decoded; `serial:COM3`, `replay:a.csv`, `replay:///a.csv`.

    Raises:
        SourceError: If a `#` cuts it short.
    """
    if url.fragment:
        raise SourceError(f"{url.geturl()}: a '#' ends a URL; write %23 for one in a file's name")
    return unquote(url.netloc + url.path)

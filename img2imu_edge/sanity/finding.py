"""What a check says."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that cannot be right.

    Attributes:
        check: What was checked: `units`, `gravity`, `gyroscope`, `stuck`, `clipping` or `rate`.
        text: What is wrong and what to do, for people.
        axis: The channel or the sensor that is wrong by itself.
    """

    check: str
    text: str
    axis: str = ""

"""Options in a source's URL, checked against a dataclass of what there is."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, Self, TypeVar, cast, get_type_hints
from urllib.parse import SplitResult, parse_qsl, unquote

from img2imu_edge.errors import SourceError

T = TypeVar("T")


class Speed(float):
    """How many times faster than life; 0, also written `max`, for as fast as it is taken."""

    def __new__(cls, value: str | float = 1.0) -> Self:
        """Check the value, as every option's type does."""
        speed = super().__new__(cls, 0.0 if value == "max" else value)
        if not 0 <= speed < math.inf:
            raise ValueError(f"{value} is no speed; it is 0 or more, or max")
        return speed


REAL_TIME = Speed(1)


def options_of(url: SplitResult, kind: type[T]) -> T:
    """Read the query of a URL into a dataclass of numbers, texts and booleans with defaults.

    Raises:
        SourceError: If an option is unknown, given twice, or its value of the wrong type; the message names
            the known ones.
    """
    hints = get_type_hints(kind)
    known = [field.name for field in dataclasses.fields(cast(Any, kind))]
    values: dict[str, object] = {}
    for name, text in parse_qsl(url.query, keep_blank_values=True):
        if name not in known:
            raise SourceError(
                f"{url.scheme}: has no option {name!r}; there are: {', '.join(known) or 'none'}"
            )
        if name in values:
            raise SourceError(f"option {name} of {url.scheme}: is given twice")
        try:
            values[name] = _convert(hints[name], text)
        except ValueError as error:
            wanted = getattr(hints[name], "__name__", "number")
            raise SourceError(f"option {name}={text!r} of {url.scheme}: is not a valid {wanted}") from error
    try:
        return kind(**values)
    except ValueError as error:
        raise SourceError(f"{url.scheme}: {error}") from error


def path_of(url: SplitResult) -> str:
    """The path of a URL, with `%20` and the like decoded; `serial:COM3`, `replay:a.csv`, `replay:///a.csv`.

    Raises:
        SourceError: If a `#` cuts it short.
    """
    if url.fragment:
        raise SourceError(f"{url.geturl()}: a '#' ends a URL; write %23 for one in a file's name")
    return unquote(url.netloc + url.path)


def _convert(hint: Any, text: str) -> object:
    if hint is bool:
        if text.lower() not in ("", "1", "0", "true", "false"):
            raise ValueError(text)
        return text.lower() not in ("0", "false")
    return hint(text)

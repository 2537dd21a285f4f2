"""Options in the URL of a source or an output: checked against a dataclass of what there is, or hidden."""

from __future__ import annotations

import dataclasses
import re
from enum import Enum
from typing import Any, TypeVar, cast, get_type_hints
from urllib.parse import SplitResult, parse_qsl

from img2imu_edge.errors import Img2ImuError

T = TypeVar("T")

_USER = re.compile(r"^([^:/?#]+://)[^/?#]*@")
_SECRET = re.compile(r"([?&][^=&]*(?:token|key|secret|password)[^=&]*=)[^&]*", re.IGNORECASE)


def options_of(url: SplitResult, kind: type[T], error: type[Img2ImuError]) -> T:
    """Read the query of a URL into a dataclass of numbers, texts and booleans with defaults.

    Args:
        url: The URL.
        kind: The dataclass. What its `__post_init__` refuses with a ValueError is told too.
        error: What to raise: `SourceError` or `OutputError`.

    Raises:
        Img2ImuError: If an option is unknown, given twice, or its value of the wrong type; the message names
            the known ones.
    """
    hints = get_type_hints(kind)
    known = [field.name for field in dataclasses.fields(cast(Any, kind))]
    values: dict[str, object] = {}
    for name, text in parse_qsl(url.query, keep_blank_values=True):
        if name not in known:
            raise error(f"{url.scheme}: has no option {name!r}; there are: {', '.join(known) or 'none'}")
        if name in values:
            raise error(f"option {name} of {url.scheme}: is given twice")
        try:
            values[name] = _boolean(text) if hints[name] is bool else hints[name](text)
        except ValueError as fault:
            wanted = _wanted(hints[name]) or str(fault)
            raise error(f"option {name}={text!r} of {url.scheme}: {wanted}") from fault
    try:
        return kind(**values)
    except ValueError as fault:
        raise error(f"{url.scheme}: {fault}") from fault


def _wanted(kind: type[object]) -> str:
    """What a value must be; empty for a type that says so itself."""
    if issubclass(kind, Enum):
        return f"must be one of {', '.join(str(each.value) for each in kind)}"
    known = {int: "must be a whole number", float: "must be a number", bool: "must be true or false"}
    return known.get(kind, "")


def _boolean(text: str) -> bool:
    if text.lower() not in ("", "1", "0", "true", "false"):
        raise ValueError(text)
    return text.lower() not in ("0", "false")


def without_secrets(url: str) -> str:
    """A URL as others may see it: without user and password, and with … for an option such as a token."""
    return _SECRET.sub(r"\1…", _USER.sub(r"\1", url))

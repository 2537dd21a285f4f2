"""Strict reading of JSON into dataclasses: no key may be missing, unknown or of another type."""

from __future__ import annotations

import dataclasses
import sys
import types
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

T = TypeVar("T")

_LARGEST_INTEGER = 1 << 53
"""What every reader of JSON holds exactly (RFC 8259, section 6)."""


class StrictError(ValueError):
    """The data do not fit the dataclass; the message names the key by its path."""


def from_json(kind: type[T], data: object, path: str = "") -> T:
    """Build a dataclass from parsed JSON.

    Args:
        kind: A dataclass whose fields are numbers, strings, booleans, tuples, dicts, literals, optionals or
            dataclasses of these.
        data: What `json.loads` gave.
        path: Name of the place, for messages.

    Raises:
        StrictError: If anything does not fit, or the dataclass itself objects.
    """
    if not isinstance(data, dict):
        raise StrictError(f"{path or 'the whole'} must be an object")
    hints = get_type_hints(kind)
    fields = {f.name: f for f in dataclasses.fields(cast(Any, kind))}
    for name in data:
        if name not in fields:
            raise StrictError(f"unknown key {_join(path, name)!r}")
    values = {}
    for name, field in fields.items():
        if name in data:
            values[name] = _convert(hints[name], data[name], _join(path, name))
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise StrictError(f"missing key {_join(path, name)!r}")
    try:
        return kind(**values)
    except ValueError as error:
        raise StrictError(f"{path + ': ' if path else ''}{error}") from error


def _convert(hint: Any, value: object, path: str) -> object:
    origin, args = get_origin(hint), get_args(hint)
    if hint is Any:
        return value
    if origin in (Union, types.UnionType):
        if value is None and type(None) in args:
            return None
        (hint,) = (arg for arg in args if arg is not type(None))
        return _convert(hint, value, path)
    if origin is Literal:
        if value in args:
            return value
        raise StrictError(f"{path!r} must be one of {', '.join(map(repr, args))}, not {value!r}")
    if origin is tuple and isinstance(value, list | tuple):
        return tuple(_convert(args[0], item, f"{path}[{i}]") for i, item in enumerate(value))
    if origin is dict and isinstance(value, dict):
        return {key: _convert(args[1], item, _join(path, key)) for key, item in value.items()}
    if dataclasses.is_dataclass(hint):
        return from_json(cast("type[object]", hint), value, path)
    if hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        if not abs(value) <= sys.float_info.max:  # NaN, infinity, or an integer too large
            raise StrictError(f"{path!r} must be a finite number")
        return float(value)
    if isinstance(hint, type) and type(value) is hint:
        if isinstance(value, int) and abs(value) > _LARGEST_INTEGER:
            raise StrictError(f"{path!r} is too large")
        return value
    wanted = {tuple: "a list", dict: "an object"}.get(origin, getattr(hint, "__name__", str(hint)))
    raise StrictError(f"{path!r} must be {wanted}, not {value!r:.60}")


def _join(path: str, name: object) -> str:
    return f"{path}.{name}" if path else str(name)

"""Templates of what is written to a device: bytes in hexadecimal, with places for rate and checksum."""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence

_TYPES = {"u8": "<B", "u16": "<H", "u32": "<I", "i32": "<i", "f32": "<f"}
_PLACE = re.compile(r"\{(sum8|code|(rate|period_ms)(?:/(\d+))?:(\w+))\}")
_SHORT = re.compile(r"[0-9a-fA-F]{4}")
_LONG = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_BASE = "0000{}-0000-1000-8000-00805f9b34fb"
"""The Bluetooth SIG's base UUID, for which 16 bits are short (Core Specification, vol. 3, part B, 2.5.1)."""


def fill(template: str, *, rate: float, code: int | None = None) -> bytes:
    """The bytes of a template such as `53 {sum8} 02 01 {rate:u8}`.

    Args:
        template: Bytes in hexadecimal; `{rate:u16}` is the rate in Hz, `{period_ms:i32}` its inverse in
            milliseconds, `{period_ms/10:u8}` in tens of them, `{code}` the byte that stands for the rate, and
            `{sum8}` the low byte of the sum of all that follows.
        rate: Sampling rate in Hz.
        code: What stands for it, if anything does.

    Raises:
        ValueError: If it is no such template, or a number does not fit its type.
    """
    out, at, sums = bytearray(), 0, list[int]()
    for match in _PLACE.finditer(template):
        out += bytes.fromhex(template[at : match.start()])
        at = match.end()
        if match[1] == "sum8":
            sums.append(len(out))
            out.append(0)
        elif match[1] == "code":
            if code is None:
                raise ValueError("{code} needs `codes`, one for each of `rates`")
            out.append(code)
        else:
            number = rate if match[2] == "rate" else 1000 / rate
            out += _pack(number / int(match[3] or 1), match[4])
    out += bytes.fromhex(template[at:])
    for place in reversed(sums):
        out[place] = sum(out[place + 1 :]) & 0xFF
    return bytes(out)


def _pack(number: float, kind: str) -> bytes:
    if kind not in _TYPES:
        raise ValueError(f"{kind!r} is not one of {', '.join(_TYPES)}")
    try:
        return struct.pack(_TYPES[kind], number if kind == "f32" else round(number))
    except struct.error as error:
        raise ValueError(f"{number:g} does not fit {kind}: {error}") from error


def nearest(wanted: float, rates: Sequence[float]) -> float:
    """The rate to ask for: the lowest one that is no lower than wanted, else the highest."""
    return min((rate for rate in rates if rate >= wanted * 0.999), default=max(rates))


def uuid(text: str) -> str:
    """A UUID as bleak writes it: 128 bits, lower case; four digits are short for the Bluetooth SIG's.

    Raises:
        ValueError: If it is none.
    """
    if _SHORT.fullmatch(text):
        return _BASE.format(text.lower())
    if not _LONG.fullmatch(text):
        raise ValueError(f"{text!r} is no UUID; it has 4 hexadecimal digits, or 8-4-4-4-12")
    return text.lower()

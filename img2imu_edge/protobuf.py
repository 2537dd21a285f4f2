"""Protocol buffers, as far as taking an ONNX file apart needs them: fields, without a schema.

Stricter than the wire format: what a lenient reader would take otherwise than we do is refused, so that
nothing hides between the two readings.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from img2imu_edge.errors import ModelError

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
"""Wire types; the two of the long abandoned groups are refused."""

_LAST_NUMBER = (1 << 29) - 1
_LONGEST_VARINT = 10


class Field(NamedTuple):
    """One field of a message.

    Attributes:
        number: Field number.
        wire: Wire type.
        start: Where its tag starts.
        inside: Where its value starts.
        end: Where its value ends.
    """

    number: int
    wire: int
    start: int
    inside: int
    end: int


def fields(data: bytes, at: int = 0, end: int | None = None) -> Iterator[Field]:
    """Fields of a message, one after the other; nothing is copied.

    Args:
        data: Holds the message.
        at: Where it starts.
        end: Where it ends; at the end of the data by default.

    Raises:
        ModelError: If the message is cut short or damaged.
    """
    end = len(data) if end is None else end
    while at < end:
        start = at
        tag, at = read_varint(data, at, end)
        number, wire = tag >> 3, tag & 7
        if not 0 < number <= _LAST_NUMBER:
            raise ModelError("it is no ONNX file, or damaged")
        if wire == VARINT:
            inside, at = at, read_varint(data, at, end)[1]
        elif wire == BYTES:
            length, inside = read_varint(data, at, end)
            at = inside + length
        elif wire in (FIXED32, FIXED64):
            inside, at = at, at + (4 if wire == FIXED32 else 8)
        else:
            raise ModelError("it is no ONNX file, or damaged")
        if at > end:
            raise ModelError("it is cut short")
        yield Field(number, wire, start, inside, at)


def read_varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    """A number, and where it ends.

    Raises:
        ModelError: If it is cut short or longer than ten bytes.
    """
    value = 0
    for index, byte in enumerate(data[at : min(end, at + _LONGEST_VARINT)]):
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value, at + index + 1
    raise ModelError("it is cut short")


def field(number: int, value: bytes) -> bytes:
    """A field of bytes, ready for a file."""
    return _varint(number << 3 | BYTES) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])

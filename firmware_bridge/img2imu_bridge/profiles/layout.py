"""Layout: a packet's bytes, described in a line of text, decoded with one call of `struct`.

    0x55 sequence:u8 skip:1 0x0c gyr_x:i16 gyr_y:i16 gyr_z:i16 acc_x:i16 acc_y:i16 acc_z:i16
    ticks:u16 (acc_x:i16 acc_y:i16 acc_z:i16)*3

Each word is a constant byte, bytes to skip, or a name and a type. `sequence` and `ticks` are the packet's
number and time stamp, all other names are channels. What is in parentheses repeats so often, or with a bare
`*` as often as it fits.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import Literal, NamedTuple

from img2imu_bridge.profiles import PacketError

SEQUENCE, TICKS = "sequence", "ticks"

_TYPES = {
    "i8": "b", "u8": "B", "i16": "h", "u16": "H", "i32": "i", "u32": "I", "i64": "q", "u64": "Q",
    "f32": "f", "f64": "d",
}  # fmt: skip
_WORD = re.compile(r"(0x[0-9a-fA-F]{2})|skip:(\d{1,3})|([a-z]\w*):([iuf]\d+)")
_GROUP = re.compile(r"([^()]*)\(([^()]+)\)\*(\d*)\s*")


class Body(NamedTuple):
    """A packet's content.

    Attributes:
        samples: The channels' numbers of each sample, as sent, without scale.
        sequence: Its number, None without one.
        ticks: Its time stamp, None without one.
    """

    samples: list[tuple[float, ...]]
    sequence: int | None
    ticks: int | None


class _Whole(NamedTuple):
    """A packet's number or time stamp: what it is, and where it stands."""

    kind: struct.Struct
    at: int


@dataclass(frozen=True, slots=True)
class _Part:
    """Words that stand together.

    Attributes:
        channels: Their names.
        numbers: Those of the channels; what else there is counts as padding.
        wholes: The packet's number and time stamp.
        constants: Where a constant byte stands, and what it is.
    """

    channels: tuple[str, ...]
    numbers: struct.Struct
    wholes: dict[str, _Whole]
    constants: tuple[tuple[int, int], ...]


class Layout:
    """A packet's layout.

    Args:
        text: The description, as above.
        order: Order of the bytes of a number.

    Attributes:
        channels: Names of the values' columns.
        sequence_bits: Width of the sequence number, 0 without one.
        tick_bits: Width of the time stamp, 0 without one.

    Raises:
        ValueError: If the description makes no sense; the message says which word.
    """

    def __init__(self, text: str, order: Literal["little", "big"] = "little") -> None:
        match = _GROUP.fullmatch(text.strip())
        head, group, times = match.groups() if match else ("", text, "1")
        sign = "<" if order == "little" else ">"
        self._head, self._group = self._part(head, sign), self._part(group, sign)
        self._times = int(times) if times else None
        self._start, self._size = self._head.numbers.size, self._group.numbers.size
        self.channels = self._group.channels
        if not self.channels:
            raise ValueError(f"no channel in {text!r}")
        if self._head.channels:
            raise ValueError("channels before a group would come once for many samples; put them into it")
        if self._times == 0:
            raise ValueError("a group that comes 0 times holds nothing")
        wholes = self._head.wholes if match else self._group.wholes
        self._sequence, self._ticks = wholes.get(SEQUENCE), wholes.get(TICKS)
        self.sequence_bits, self.tick_bits = _bits(self._sequence), _bits(self._ticks)
        self._constants = [(slice(at, at + 1), bytes((byte,))) for at, byte in self._head.constants]
        for at, byte in self._group.constants:
            self._constants.append((slice(self._start + at, None, self._size), bytes((byte,))))

    def decode(self, value: bytes) -> Body:
        """Read a packet.

        Raises:
            PacketError: If its length or a constant byte is another one.
        """
        count = self._times or (len(value) - self._start) // self._size
        if count < 1 or len(value) != self._start + count * self._size:
            raise PacketError(f"{len(value)} bytes do not fit the layout")
        for places, wanted in self._constants:
            if other := value[places].strip(wanted):
                raise PacketError(f"a byte is {other[0]:#04x} instead of {wanted[0]:#04x}")
        samples = list(self._group.numbers.iter_unpack(value[self._start :]))
        return Body(samples, _read(self._sequence, value), _read(self._ticks, value))

    def blank(self, samples: int = 1) -> bytes:
        """A packet that fits, with all numbers 0.

        Args:
            samples: How many it holds, where the layout leaves that open.
        """
        packet = bytearray(self._start + (self._times or samples) * self._size)
        for places, wanted in self._constants:
            packet[places] = wanted * len(packet[places])
        return bytes(packet)

    @staticmethod
    def _part(text: str, order: str) -> _Part:
        channels: list[str] = []
        wholes: dict[str, _Whole] = {}
        constants: list[tuple[int, int]] = []
        size, codes = 0, order
        for word in text.split():
            match = _WORD.fullmatch(word)
            if not match or (match[4] and match[4] not in _TYPES):
                raise ValueError(f"{word!r} is no constant such as 0x55, no skip:2, no acc_x:i16")
            constant, skipped, name, kind = match.groups()
            if name in channels or name in wholes:
                raise ValueError(f"a name comes twice in {text!r}")
            width = int(kind[1:]) // 8 if kind else int(skipped or 1)
            if constant:
                constants.append((size, int(constant, 16)))
            elif name in (SEQUENCE, TICKS):
                wholes[name] = _Whole(struct.Struct(order + _TYPES[kind]), size)
            elif name:
                channels.append(name)
            codes += _TYPES[kind] if name in channels else f"{width}x"
            size += width
        return _Part(tuple(channels), struct.Struct(codes), wholes, tuple(constants))


def _bits(whole: _Whole | None) -> int:
    return 8 * whole.kind.size if whole else 0


def _read(whole: _Whole | None, value: bytes) -> int | None:
    if whole is None:
        return None
    (number,) = whole.kind.unpack_from(value, whole.at)
    try:
        return int(number)
    except (ValueError, OverflowError):
        raise PacketError(f"its number or time stamp is {number}") from None

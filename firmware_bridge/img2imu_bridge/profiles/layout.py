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
    """Where a whole number stands."""

    place: slice
    signed: bool


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
        self._order: Literal["little", "big"] = order
        self._head, self._group = self._part(head), self._part(group)
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
        return Body(samples, self._whole(self._sequence, value), self._whole(self._ticks, value))

    def blank(self, samples: int = 1) -> bytes:
        """A packet that fits, with all numbers 0.

        Args:
            samples: How many it holds, where the layout leaves that open.
        """
        packet = bytearray(self._start + (self._times or samples) * self._size)
        for places, wanted in self._constants:
            packet[places] = wanted * len(packet[places])
        return bytes(packet)

    def _whole(self, whole: _Whole | None, value: bytes) -> int | None:
        return None if whole is None else int.from_bytes(value[whole.place], self._order, signed=whole.signed)

    def _part(self, text: str) -> _Part:
        channels: list[str] = []
        wholes: dict[str, _Whole] = {}
        constants: list[tuple[int, int]] = []
        size, codes = 0, "<" if self._order == "little" else ">"
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
                if kind[0] == "f":
                    raise ValueError(f"{word!r} is no whole number, such as {name}:u{kind[1:]}")
                wholes[name] = _Whole(slice(size, size + width), kind[0] == "i")
            elif name:
                channels.append(name)
            codes += _TYPES[kind] if name in channels else f"{width}x"
            size += width
        return _Part(tuple(channels), struct.Struct(codes), wholes, tuple(constants))


def _bits(whole: _Whole | None) -> int:
    return 8 * (whole.place.stop - whole.place.start) if whole else 0

"""Layout: a packet's bytes, described in a line of text, decoded with one view by NumPy.

    0x55 sequence:u8 skip:1 0x0c gyr_x:i16 gyr_y:i16 gyr_z:i16 acc_x:i16 acc_y:i16 acc_z:i16
    ticks:u16 (acc_x:i16 acc_y:i16 acc_z:i16)*3

Each word is a constant byte, bytes to skip, or a name and a type. `sequence` and `ticks` are the packet's
number and time stamp, all other names are channels. What is in parentheses repeats so often, or with a bare
`*` as often as it fits.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from img2imu_bridge.profiles import PacketError
from img2imu_bridge.profiles.numbers import to_float64

SEQUENCE, TICKS = "sequence", "ticks"

_TYPES = {"i8", "u8", "i16", "u16", "i32", "u32", "i64", "u64", "f32", "f64"}
_WORD = re.compile(r"(0x[0-9a-fA-F]{2})|skip:(\d+)|([a-z]\w*):([iuf]\d+)")
_GROUP = re.compile(r"([^()]*)\(([^()]+)\)\*(\d*)\s*")


class Body(NamedTuple):
    """A packet's content.

    Attributes:
        values: (samples, channels) float64 as sent, without scale.
        sequence: Its number, None without one.
        ticks: Its time stamp, None without one.
    """

    values: NDArray[np.float64]
    sequence: int | None
    ticks: int | None


@dataclass(frozen=True, slots=True)
class _Part:
    """Words that stand together: their names and the bytes that they take."""

    kind: np.dtype[np.void]
    constants: tuple[tuple[str, int], ...]

    @property
    def channels(self) -> tuple[str, ...]:
        names = self.kind.names or ()
        return tuple(name for name in names if name[0] != "_" and name not in (SEQUENCE, TICKS))


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
        head, group, times = match.groups() if match else (text, "", "1")
        self._order = "<" if order == "little" else ">"
        self._head, self._group = self._part(head), self._part(group)
        self._times = int(times) if times else None
        self.channels = (self._group if group else self._head).channels
        if not self.channels:
            raise ValueError(f"no channel in {text!r}")
        if group and self._head.channels:
            raise ValueError("channels before a group would come once for many samples; put them into it")
        if self._times == 0:
            raise ValueError("a group that comes 0 times holds nothing")
        self.sequence_bits, self.tick_bits = self._bits(SEQUENCE), self._bits(TICKS)

    def decode(self, value: bytes) -> Body:
        """Read a packet.

        Raises:
            PacketError: If its length or a constant byte is another one.
        """
        head, group = self._head.kind, self._group.kind
        count = 1
        if group.itemsize:
            count = self._times or (len(value) - head.itemsize) // group.itemsize
        if count < 1 or len(value) != head.itemsize + count * group.itemsize:
            raise PacketError(f"{len(value)} bytes do not fit the layout")
        top = np.frombuffer(value, head, 1) if head.itemsize else np.empty(1, head)
        body = np.frombuffer(value, group, count, head.itemsize) if group.itemsize else top
        for part, found in ((self._head, top), (self._group, body)):
            for name, wanted in part.constants:
                if np.any(found[name] != wanted):
                    raise PacketError(f"a byte is {int(found[name][0]):#04x} instead of {wanted:#04x}")
        values = to_float64(np.stack([body[name] for name in self.channels], axis=1))
        return Body(values, self._scalar(top, SEQUENCE), self._scalar(top, TICKS))

    def blank(self, samples: int = 1) -> bytes:
        """A packet that fits, with all numbers 0.

        Args:
            samples: How many it holds, where the layout leaves that open.
        """
        count = self._times or samples
        head, body = np.zeros(1, self._head.kind), np.zeros(count, self._group.kind)
        for part, found in ((self._head, head), (self._group, body)):
            for name, wanted in part.constants:
                found[name] = wanted
        return head.tobytes() + body.tobytes()

    @staticmethod
    def _scalar(head: NDArray[np.void], name: str) -> int | None:
        return int(head[name][0]) if name in (head.dtype.names or ()) else None

    def _bits(self, name: str) -> int:
        fields = dict(self._head.kind.fields or {})
        return 8 * fields[name][0].itemsize if name in fields else 0

    def _part(self, text: str) -> _Part:
        fields: list[tuple[str, str]] = []
        constants: list[tuple[str, int]] = []
        for word in text.split():
            match = _WORD.fullmatch(word)
            if not match or (match[4] and match[4] not in _TYPES):
                raise ValueError(f"{word!r} is no constant such as 0x55, no skip:2, no acc_x:i16")
            hidden = f"_{len(fields)}"
            if match[1]:
                fields.append((hidden, "u1"))
                constants.append((hidden, int(match[1], 16)))
            elif match[2]:
                fields.append((hidden, f"V{int(match[2])}"))
            else:
                fields.append((match[3], f"{self._order}{match[4][0]}{int(match[4][1:]) // 8}"))
        names = [name for name, _ in fields]
        if len(set(names)) < len(names):
            raise ValueError(f"a name comes twice in {text!r}")
        return _Part(np.dtype(fields), tuple(constants))

"""INFO in bytes, split to fit the smallest notification and put together again."""

from __future__ import annotations

import struct
from binascii import crc_hqx
from dataclasses import dataclass

from img2imu_bridge.wire.info import AXES, Info, Kind, SensorInfo
from img2imu_bridge.wire.protocol import MAX_MESSAGE, MAX_NAME, MIN_MESSAGE, MessageError, MessageType

_HEAD = struct.Struct("<IQQIIBB")
_SENSOR = struct.Struct("<BBII")
_STREAMING = 0x01
_LAST_PART = 0x80


@dataclass(frozen=True, slots=True)
class InfoPart:
    """One message's share of an INFO body.

    Attributes:
        index: 0 to 127.
        last: Whether the body ends here.
        payload: The share.
    """

    index: int
    last: bool
    payload: bytes


def encode_info(info: Info, max_size: int = MIN_MESSAGE) -> list[bytes]:
    """Write an INFO as messages that fit the transport.

    Args:
        info: The description; a name longer than 32 bytes is cut between characters.
        max_size: Longest message in bytes, 3 to 512.

    Returns:
        The parts, to be sent in this order.

    Raises:
        ValueError: If `max_size` is out of range.
    """
    if not 3 <= max_size <= MAX_MESSAGE:
        raise ValueError(f"a message of at most {max_size} bytes was asked for, not of 3 to {MAX_MESSAGE}")
    body = _encode_body(info)
    size = max_size - 2
    slices = [body[start : start + size] for start in range(0, len(body), size)]
    return [
        bytes((MessageType.INFO, number | _LAST_PART * (number == len(slices) - 1))) + share
        for number, share in enumerate(slices)
    ]


class InfoAssembler:
    """Puts INFO parts together again; a missing part costs the whole INFO, and the host asks anew."""

    def __init__(self) -> None:
        self._body = bytearray()
        self._next = 0

    def push(self, part: InfoPart) -> Info | None:
        """Take the next part.

        Args:
            part: As it arrived. A repeated part is ignored, as is one whose predecessor is missing.

        Returns:
            The INFO if this was its last part, else None.

        Raises:
            MessageError: If the complete body is damaged, too long, or describes no possible device.
        """
        if part.index == 0:
            self._body.clear()
        elif part.index != self._next:
            # The part before, once more, does no harm; anything else means that one is missing.
            if part.index != self._next - 1 or not self._body.endswith(part.payload):
                self._restart()
            return None
        self._body += part.payload
        self._next = part.index + 1
        if len(self._body) > MAX_MESSAGE:
            self._restart()
            raise MessageError(f"an INFO is longer than {MAX_MESSAGE} bytes")
        if not part.last:
            return None
        body = bytes(self._body)
        self._restart()
        return _decode_body(body)

    def _restart(self) -> None:
        self._body.clear()
        self._next = 0


def _encode_body(info: Info) -> bytes:
    body = _HEAD.pack(
        info.boot_id,
        info.ticks,
        info.next_index,
        info.ticks_per_second,
        round(info.rate * 1000),
        _STREAMING * info.streaming,
        len(info.sensors),
    )
    for sensor in info.sensors:
        body += _SENSOR.pack(sensor.kind, sensor.axes, sensor.num, sensor.den)
    name = info.name.encode()[:MAX_NAME].decode(errors="ignore").encode()
    body += bytes((len(name),)) + name
    return body + crc_hqx(body, 0xFFFF).to_bytes(2, "little")


def _decode_body(body: bytes) -> Info:
    if len(body) < _HEAD.size + 3:
        raise MessageError(f"an INFO of {len(body)} bytes is too short")
    if crc_hqx(body[:-2], 0xFFFF) != int.from_bytes(body[-2:], "little"):
        raise MessageError("an INFO is damaged: its checksum is wrong")
    boot_id, ticks, next_index, ticks_per_second, rate, flags, count = _HEAD.unpack_from(body)
    name_at = _HEAD.size + count * _SENSOR.size
    # What follows the name, up to the checksum, is for later additions to version 1.
    if name_at >= len(body) - 2 or name_at + 1 + body[name_at] > len(body) - 2:
        raise MessageError("an INFO ends within its sensors or its name")
    sensors = []
    for kind, axes, num, den in _SENSOR.iter_unpack(body[_HEAD.size : name_at]):
        if kind not in Kind.__members__.values() or axes != len(AXES):
            raise MessageError(f"an INFO has a sensor of unknown kind {kind} with {axes} axes")
        sensors.append(SensorInfo(Kind(kind), num, den))
    return Info(
        name=body[name_at + 1 : name_at + 1 + body[name_at]].decode(errors="replace"),
        sensors=tuple(sensors),
        rate=rate / 1000,
        ticks_per_second=ticks_per_second,
        boot_id=boot_id,
        ticks=ticks,
        next_index=next_index,
        streaming=bool(flags & _STREAMING),
    )

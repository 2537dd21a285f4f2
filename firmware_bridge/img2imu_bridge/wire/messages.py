"""The messages of protocol version 1: bytes to values and back.

Everything a source or a virtual wearable needs is importable from here, INFO included.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from img2imu_bridge.wire.info import Info, Kind, SensorInfo
from img2imu_bridge.wire.info_codec import InfoAssembler, InfoPart, encode_info
from img2imu_bridge.wire.protocol import (
    DATA_HEADER,
    MAX_MESSAGE,
    MAX_NAME,
    MIN_MESSAGE,
    VERSION,
    MessageError,
    MessageType,
    Request,
    StatusCode,
    VersionError,
)

__all__ = [
    "DATA_HEADER",
    "MAX_MESSAGE",
    "MAX_NAME",
    "MIN_MESSAGE",
    "VERSION",
    "Control",
    "Data",
    "Info",
    "InfoAssembler",
    "InfoPart",
    "Kind",
    "MessageError",
    "MessageType",
    "Request",
    "SensorInfo",
    "Status",
    "StatusCode",
    "VersionError",
    "decode",
    "encode_control",
    "encode_data",
    "encode_info",
    "encode_status",
]

_DATA = struct.Struct("<BBHI")


@dataclass(frozen=True, slots=True)
class Data:
    """Consecutive samples.

    Attributes:
        seq: Number of the first sample, modulo 2¹⁶.
        ticks: The device's clock at the first sample, modulo 2³².
        payload: The samples one after the other, each value a little-endian int16 of raw counts.
    """

    seq: int
    ticks: int
    payload: bytes | memoryview


@dataclass(frozen=True, slots=True)
class Status:
    """A device's answer to a request.

    Attributes:
        request: Type byte of the request; usually a `Request`.
        request_id: The number that the host gave it.
        code: 0 if it was done; see `StatusCode`.
    """

    request: int
    request_id: int
    code: int


@dataclass(frozen=True, slots=True)
class Control:
    """A host's request.

    Attributes:
        kind: What to do.
        request_id: 0 to 255, chosen by the host; the answer repeats it.
        rate: The rate in Hz that SET_RATE asks for; None for the others.
    """

    kind: Request
    request_id: int
    rate: float | None = None


def encode_data(seq: int, ticks: int, counts: NDArray[np.int16]) -> bytes:
    """Write a DATA message.

    Args:
        seq: Number of the first sample; taken modulo 2¹⁶.
        ticks: The device's clock at the first sample; taken modulo 2³².
        counts: (samples, axes) int16, raw counts.

    Returns:
        The message.

    Raises:
        ValueError: If there is no sample, or more than a message holds.
        TypeError: If the counts are not int16.
    """
    if counts.dtype.kind != "i" or counts.dtype.itemsize != 2:
        raise TypeError(f"counts are {counts.dtype}, not int16")
    size = DATA_HEADER + counts.nbytes
    if counts.ndim != 2 or counts.size == 0 or size > MAX_MESSAGE:
        raise ValueError(f"counts of shape {counts.shape} do not fit a message of {MAX_MESSAGE} bytes")
    header = _DATA.pack(MessageType.DATA, 0, seq & 0xFFFF, ticks & 0xFFFFFFFF)
    return header + counts.astype("<i2", copy=False).tobytes()


def encode_status(status: Status) -> bytes:
    """Write a STATUS message.

    Args:
        status: The answer.

    Returns:
        The message, 4 bytes.
    """
    return bytes((MessageType.STATUS, status.request, status.request_id, status.code))


def encode_control(control: Control) -> bytes:
    """Write a request.

    Args:
        control: The request; its rate is rounded to 1 mHz.

    Returns:
        The message, 2 bytes, or 6 for SET_RATE.

    Raises:
        ValueError: If SET_RATE has no rate that fits, or another request has one.
    """
    message = bytes((control.kind, control.request_id))
    if control.kind is not Request.SET_RATE:
        if control.rate is not None:
            raise ValueError(f"{control.kind.name} takes no rate")
        return message
    rate = control.rate
    if rate is None or not math.isfinite(rate) or not 0 < round(rate * 1000) < 1 << 32:
        raise ValueError(f"SET_RATE cannot ask for {rate} Hz")
    return message + round(rate * 1000).to_bytes(4, "little")


def decode(message: bytes | bytearray | memoryview) -> Data | InfoPart | Status | Control:
    """Read one message, whichever side sent it.

    Args:
        message: The whole message, without framing.

    Returns:
        Its content. A Data may still turn out malformed once the number of axes is known.

    Raises:
        VersionError: If the message is of another protocol version.
        MessageError: If it is malformed or of an unknown type.
    """
    size = len(message)
    if not 2 <= size <= MAX_MESSAGE:
        raise MessageError(f"a message has {size} bytes, not 2 to {MAX_MESSAGE}")
    kind = message[0]
    if kind == MessageType.DATA:
        if size <= DATA_HEADER or size % 2:
            raise MessageError(f"a DATA message has {size} bytes, so no whole number of samples")
        _, _, seq, ticks = _DATA.unpack_from(message)
        return Data(seq, ticks, bytes(message[DATA_HEADER:]))
    if kind >> 4 != VERSION:
        raise VersionError(f"a message is of protocol version {kind >> 4}, not {VERSION}")
    if kind == MessageType.INFO:
        return InfoPart(message[1] & 0x7F, message[1] >= 0x80, bytes(message[2:]))
    if kind == MessageType.STATUS:
        if size < 4:
            raise MessageError(f"a STATUS has {size} bytes, not 4")
        return Status(*message[1:4])
    return _decode_control(message)


def _decode_control(message: bytes | bytearray | memoryview) -> Control:
    try:
        kind = Request(message[0])
    except ValueError:
        raise MessageError(f"a message is of unknown type 0x{message[0]:02x}") from None
    if kind is not Request.SET_RATE:
        return Control(kind, message[1])
    rate = int.from_bytes(message[2:6], "little")
    if len(message) < 6 or rate == 0:
        raise MessageError("SET_RATE comes without a rate")
    return Control(kind, message[1], rate / 1000)

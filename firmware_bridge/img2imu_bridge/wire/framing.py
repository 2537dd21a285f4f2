"""Messages on a byte stream: COBS, a CRC and a zero byte between frames.

Consistent Overhead Byte Stuffing: S. Cheshire and M. Baker, IEEE/ACM Transactions on Networking 7(2), 1999.
"""

from __future__ import annotations

from binascii import crc_hqx
from typing import Final

from img2imu_bridge.wire.protocol import MAX_MESSAGE
from img2imu_edge.source import LinkStats

_CRC_START: Final = 0xFFFF  # with crc_hqx's polynomial 0x1021: CRC-16/CCITT-FALSE
_BLOCK: Final = 254  # most bytes behind one COBS code byte

MAX_FRAME: Final = MAX_MESSAGE + 2 + 1 + (MAX_MESSAGE + 2) // _BLOCK
"""Longest frame in bytes, without the zero that ends it."""


def encode_frame(message: bytes) -> bytes:
    """Wrap a message for a byte stream.

    Args:
        message: 1 to 512 bytes.

    Returns:
        COBS(message + CRC) and the zero that ends the frame.

    Raises:
        ValueError: If the message is empty or too long.
    """
    if not 0 < len(message) <= MAX_MESSAGE:
        raise ValueError(f"only 1 to {MAX_MESSAGE} bytes make a frame, not {len(message)}")
    plain = message + crc_hqx(message, _CRC_START).to_bytes(2, "little")
    frame = bytearray()
    for run in plain.split(b"\0"):
        full = len(run) - len(run) % _BLOCK
        for start in range(0, full, _BLOCK):
            frame.append(_BLOCK + 1)
            frame += run[start : start + _BLOCK]
        frame.append(len(run) - full + 1)
        frame += run[full:]
    if run and full == len(run):
        frame.pop()  # a full block at the very end needs no successor
    frame.append(0)
    return bytes(frame)


class FrameReader:
    """Finds the messages in a byte stream, however it arrives in pieces.

    Never holds more than one frame's bytes, and is in step again at the next zero byte whatever came before.

    Attributes:
        corrupt: Frames thrown away: damaged, cut short, or too long. Opening a port in the middle of a frame
            counts one.
        garbage: Bytes of those frames.
    """

    def __init__(self, stats: LinkStats | None = None) -> None:
        """Start before the first byte.

        Args:
            stats: Counters whose `corrupt` is kept current too.
        """
        self.corrupt = 0
        self.garbage = 0
        self._stats = stats
        self._tail = b""
        self._overlong = 0

    def push(self, data: bytes) -> list[bytes]:
        """Take the next bytes.

        Args:
            data: Any number of bytes.

        Returns:
            The messages that these bytes completed, in order.
        """
        frames = (self._tail + data).split(b"\0")
        self._tail = frames.pop()
        messages = []
        for frame in frames:
            if self._overlong:
                self._reject(self._overlong + len(frame))
                self._overlong = 0
                continue
            message = _decode_frame(frame)
            if message:
                messages.append(message)
            elif frame:
                self._reject(len(frame))
        if self._overlong or len(self._tail) > MAX_FRAME:
            self._overlong += len(self._tail)
            self._tail = b""
        return messages

    def _reject(self, size: int) -> None:
        self.corrupt += 1
        self.garbage += size
        if self._stats is not None:
            self._stats.corrupt += 1


def _decode_frame(frame: bytes) -> bytes | None:
    """Return a frame's message, or None if the frame is damaged or empty."""
    size = len(frame)
    if not 4 <= size <= MAX_FRAME:
        return None
    # In place: every code byte stands where a zero belongs, except the first and those after a full block.
    plain = bytearray(frame)
    surplus = []
    position = 0
    while position < size:
        code = plain[position]
        plain[position] = 0
        position += code
        if code > _BLOCK:
            surplus.append(position)
    if position != size:
        return None
    for position in reversed(surplus):
        del plain[position : position + 1]
    message = bytes(plain)
    crc = message[-2] | message[-1] << 8
    message = message[1:-2]
    return message if crc_hqx(message, _CRC_START) == crc else None

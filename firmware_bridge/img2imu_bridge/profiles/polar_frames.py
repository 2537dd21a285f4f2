"""Polar's PMD frames: a header, then samples as they are, or a first one and differences of few bits.

Facts: polarofficial/polar-ble-sdk, …/gatt/client/pmd/{PmdDataFrame,BlePMDClient}.kt and
model/{AccData,GyrData}.kt.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from img2imu_bridge.profiles import PacketError
from img2imu_bridge.profiles.numbers import to_float64

ACC: Final = 2
"""The accelerometer's measurement type."""
GYRO: Final = 5
"""The gyroscope's."""

_HEADER: Final = struct.Struct("<BQB")
_AXES: Final = 3
_MOST_SAMPLES: Final = 2048  # differences of one bit fill the longest notification with 1339 samples
_MOST_BITS: Final = 32

_RAW_BYTES: Final = {(ACC, 0x00): 1, (ACC, 0x01): 2, (ACC, 0x02): 3}
_DELTA_BYTES: Final = {(ACC, 0x80): 2, (ACC, 0x81): 2, (GYRO, 0x80): 2, (GYRO, 0x81): 4}
_FLOATS: Final = (GYRO, 0x81)


class Frame(NamedTuple):
    """A frame's content.

    Attributes:
        measurement: Its type, such as `ACC`.
        form: How it was packed: bit 7 for differences, the others for the type of data.
        ticks: Nanoseconds since 2000 at the last sample.
        counts: (samples, 3) as sent.
    """

    measurement: int
    form: int
    ticks: int
    counts: NDArray[np.float64]


def read_frame(value: bytes) -> Frame:
    """Unpack a frame.

    Raises:
        PacketError: If it is cut short, or of an unknown kind.
    """
    if len(value) <= _HEADER.size:
        raise PacketError(f"{len(value)} bytes are no frame")
    first, ticks, form = _HEADER.unpack_from(value)
    kind = measurement, _ = first & 0x3F, form
    body = value[_HEADER.size :]
    if kind in _RAW_BYTES:
        counts = _integers(body, _RAW_BYTES[kind])
    elif kind in _DELTA_BYTES:
        counts = _sums(body, _DELTA_BYTES[kind])
    else:
        raise PacketError(f"measurement {measurement} has no frames of form {form:#04x}")
    if kind == _FLOATS:  # differences of the floats' bits
        return Frame(measurement, form, ticks, to_float64(counts.astype(np.uint32).view(np.float32)))
    return Frame(measurement, form, ticks, counts.astype(np.float64))


def _integers(data: bytes, width: int) -> NDArray[np.int64]:
    """Signed integers of some bytes each, (samples, 3)."""
    if not data or len(data) % (_AXES * width):
        raise PacketError(f"{len(data)} bytes are no whole number of samples")
    octets = np.frombuffer(data, np.uint8).reshape(-1, _AXES, width).astype(np.int64)
    return _weigh(octets, 8)


def _sums(body: bytes, width: int) -> NDArray[np.int64]:
    """A first sample, and blocks of differences to the one before."""
    at = _AXES * width
    steps = [_integers(body[:at], width)]
    samples = 1
    while at < len(body):
        if at + 2 > len(body):
            raise PacketError("a block of differences is cut short")
        bits, count = body[at], body[at + 1]
        at += 2
        size = -(-_AXES * bits * count // 8)
        samples += count
        if bits > _MOST_BITS or at + size > len(body) or samples > _MOST_SAMPLES:
            raise PacketError(f"{count} differences of {bits} bits do not fit")
        steps.append(_differences(body[at : at + size], bits, count))
        at += size
    sums: NDArray[np.int64] = np.concatenate(steps).cumsum(axis=0)
    return sums


def _differences(block: bytes, bits: int, count: int) -> NDArray[np.int64]:
    """Signed integers of some bits each, the lowest bit first, (count, 3)."""
    if not bits:
        return np.zeros((count, _AXES), np.int64)
    unpacked = np.unpackbits(np.frombuffer(block, np.uint8), count=_AXES * bits * count, bitorder="little")
    return _weigh(unpacked.reshape(count, _AXES, bits).astype(np.int64), 1)


def _weigh(digits: NDArray[np.int64], bits: int) -> NDArray[np.int64]:
    """Two's complement of digits along the last axis, the lowest first, of some bits each."""
    width = digits.shape[-1] * bits
    unsigned = digits @ (1 << bits * np.arange(digits.shape[-1], dtype=np.int64))
    signed: NDArray[np.int64] = unsigned - ((unsigned >> (width - 1)) << width)
    return signed

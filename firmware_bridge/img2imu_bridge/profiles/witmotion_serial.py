"""WitMotion sensors on a serial port: WT901, HWT905 and the like.

They send frames of 11 bytes, `55 <type> <8 bytes> <sum>`, in groups: time, acceleration, rotation, and others
that are passed over. Format and registers are those of the maker's "WIT standard communication protocol".
"""

from __future__ import annotations

import asyncio
import math
import struct
import time
from collections.abc import Iterator
from datetime import date
from typing import Final, Literal

import numpy as np

from img2imu_bridge.profiles import Advertisement, Device, Packet, Stream, Wishes
from img2imu_bridge.profiles.pace import Pace, nominal
from img2imu_bridge.profiles.template import nearest
from img2imu_edge.errors import SourceError
from img2imu_edge.samples import ACCELEROMETER, GYROSCOPE, STANDARD_GRAVITY

BAUD: Final = 9600
"""The speed that they are sold with."""

_FRAME: Final = 11
_HEAD: Final = b"\x55"
_TIME, _ACCELERATION, _ROTATION = 0x50, 0x51, 0x52
_TYPES: Final = frozenset((*range(0x50, 0x5B), 0x5F))
_VECTOR: Final = struct.Struct("<3h2x")
_DATE: Final = struct.Struct("<6BH")

_ACCELERATION_UNIT: Final = 16 * STANDARD_GRAVITY / 32768
_ROTATION_UNIT: Final = math.radians(2000) / 32768

_UNLOCK: Final = bytes.fromhex("ff aa 69 88 b5")
_CONTENT, _RATE = 0x02, 0x03
_RATES: Final = {
    **{0.2: 0x01, 0.5: 0x02, 1.0: 0x03, 2.0: 0x04, 5.0: 0x05, 10.0: 0x06},
    **{20.0: 0x07, 50.0: 0x08, 100.0: 0x09, 125.0: 0x0A, 200.0: 0x0B},
}
_WRITE_PAUSE: Final = 0.1

_LISTEN: Final = 1.5
_LONGEST: Final = 10.0
_ENOUGH: Final = 5
_OFF: Final = 0.1
_MILLISECONDS: Final = 86_400_000

_STREAM: Final = "motion"
_MISSING: Final = (math.nan,) * 3


class Frames:
    """Finds frames among whatever else comes, in the same way however the bytes are cut.

    Attributes:
        skipped: Whether bytes that belong to no frame came since the last one.
    """

    def __init__(self) -> None:
        self._rest = b""
        self.skipped = False

    def push(self, data: bytes) -> Iterator[tuple[int, bytes, bool]]:
        """Take bytes.

        Yields:
            A frame's type, its eight bytes, and whether other bytes came before it.
        """
        data = self._rest + data
        end = at = 0
        while 0 <= (at := data.find(_HEAD, at)) <= len(data) - _FRAME:
            last = at + _FRAME - 1
            if data[at + 1] not in _TYPES or sum(data[at:last]) & 0xFF != data[last]:
                at += 1
                continue
            skipped, self.skipped = self.skipped or at > end, False
            yield data[at + 1], data[at + 2 : last], skipped
            end = at = last + 1
        keep = max(end, len(data) - _FRAME + 1)
        self.skipped = self.skipped or keep > end
        self._rest = data[keep:]


class WitMotionSerial:
    """WitMotion on a serial port; see `Profile`."""

    name = "witmotion_serial"
    title = "WitMotion WT901, HWT905 and other serial ones"
    carrier: Literal["ble", "serial"] = "serial"
    checked = "from the maker's protocol document; not seen on hardware"
    baud = BAUD

    def recognises(self, advertisement: Advertisement) -> bool:
        """Never: it does not advertise."""
        return False

    def decoder(self) -> WitMotionDecoder:
        """A decoder for one connection."""
        return WitMotionDecoder()


PROFILE = WitMotionSerial()


class WitMotionDecoder:
    """Makes a sample of an acceleration and the rotation that follows it; see `Decoder`.

    A sample with one half lost has NaN there, so that the count of samples stays right. Where the device
    sends its time, samples are timed by that; one whose time was lost cannot be placed and counts as lost.
    """

    def __init__(self) -> None:
        self._frames = Frames()
        self._timed = False
        self._gyroscope = True
        self._begun = False
        self._stamp: int | None = None
        self._acceleration: tuple[float, ...] | None = None

    async def start(self, device: Device, wishes: Wishes) -> tuple[Stream, ...]:
        """Set the rate if one is wished for, then listen for what comes.

        Settings are not saved: they are gone when the sensor is switched off.
        """
        if wishes.rate is not None:
            content = 0x03 | (0x04 if wishes.gyroscope else 0)
            for register, value in ((_CONTENT, content), (_RATE, _RATES[nearest(wishes.rate, list(_RATES))])):
                for command in (_UNLOCK, bytes((0xFF, 0xAA, register, value, 0))):
                    await device.write("", command, response=False)
                    await asyncio.sleep(_WRITE_PAUSE)
        kinds, pace, heard = await self._listen(device)
        if _ACCELERATION not in kinds:
            raise SourceError(_advice(heard, kinds))
        self._timed = _TIME in kinds
        self._gyroscope = wishes.gyroscope and _ROTATION in kinds
        return (
            Stream(
                _STREAM,
                ACCELEROMETER + GYROSCOPE if self._gyroscope else ACCELEROMETER,
                nominal(pace.rate, _RATES, _OFF),
                tick_bits=64 if self._timed else 0,
                ticks_per_second=1000.0,
            ),
        )

    def decode(self, characteristic: str, value: bytes) -> list[Packet]:
        """Understand bytes; what is no frame makes an empty packet, which counts as corrupt."""
        packets: list[Packet] = []
        samples: list[tuple[int | None, tuple[float, ...]]] = []
        for kind, body, skipped in self._frames.push(value):
            if skipped:
                packets.append(self._packet([], None))
            self._begun = self._begun or kind == (_TIME if self._timed else _ACCELERATION)
            if not self._begun:  # in the middle of a group
                continue
            if kind == _TIME:
                samples += self._flush()
                self._stamp = _milliseconds(body)
            elif kind == _ACCELERATION:
                samples += self._flush()
                self._acceleration = _vector(body, _ACCELERATION_UNIT)
                if not self._gyroscope:
                    samples += self._flush()
            elif kind == _ROTATION and self._gyroscope:
                samples.append(
                    (self._stamp, (self._acceleration or _MISSING) + _vector(body, _ROTATION_UNIT))
                )
                self._stamp = self._acceleration = None
        if self._timed:
            return packets + [self._packet([row], stamp) for stamp, row in samples]
        return packets + ([self._packet([row for _, row in samples], None)] if samples else [])

    async def stop(self, device: Device) -> None:
        """Nothing: it streams on its own."""

    async def _listen(self, device: Device) -> tuple[set[int], Pace, int]:
        """Which frames come, how fast, and how many bytes were heard."""
        kinds: set[int] = set()
        pace, heard, begin = Pace(), 0, time.monotonic()
        while (left := begin + _LONGEST - time.monotonic()) > 0:
            try:
                data = await device.answer("", left)
            except SourceError:
                if heard:  # nothing more came
                    break
                raise SourceError(_advice(0, kinds)) from None
            now, heard = time.monotonic(), heard + len(data)
            types = [kind for kind, _, _ in self._frames.push(data)]
            kinds.update(types)
            if accelerations := types.count(_ACCELERATION):
                pace.observe(accelerations, now)
            enough = pace.samples >= _ENOUGH and pace.seconds >= _LISTEN
            if enough or (not kinds and now - begin > 2 * _LISTEN):
                break
        return kinds, pace, heard

    def _flush(self) -> list[tuple[int | None, tuple[float, ...]]]:
        """The sample whose rotation did not come, if there is one."""
        acceleration, stamp = self._acceleration, self._stamp
        if acceleration is None:
            return []
        self._acceleration = self._stamp = None
        return [(stamp, acceleration + (_MISSING if self._gyroscope else ()))]

    def _packet(self, rows: list[tuple[float, ...]], stamp: int | None) -> Packet:
        width = 6 if self._gyroscope else 3
        return Packet(_STREAM, np.array(rows, np.float32).reshape(len(rows), width), None, stamp)


def _vector(body: bytes, unit: float) -> tuple[float, ...]:
    x, y, z = _VECTOR.unpack(body)
    return x * unit, y * unit, z * unit


def _milliseconds(body: bytes) -> int | None:
    """The device's clock, which begins at some date if it was never set; None if it shows no date."""
    year, month, day, hour, minute, second, millisecond = _DATE.unpack(body)
    try:
        days = date(2000 + year, max(month, 1), max(day, 1)).toordinal()
    except ValueError:
        return None
    seconds = (hour * 60 + minute) * 60 + second
    return int(days * _MILLISECONDS + seconds * 1000 + millisecond)


def _advice(heard: int, kinds: set[int]) -> str:
    if kinds:
        names = ", ".join(f"{kind:#04x}" for kind in sorted(kinds))
        return (
            f"it sends WitMotion frames ({names}), but none with acceleration (0x51); give a rate, such as "
            "&rate=50, to have it send acceleration and rotation"
        )
    if heard:
        return (
            f"{heard} bytes came, but none of them make a WitMotion frame; the speed is likely another one: "
            f"they are sold with &baud={BAUD}, and often set to 115200 or 921600"
        )
    return "nothing came; is the sensor switched on, its TX wired to RX, and the cable one with data?"

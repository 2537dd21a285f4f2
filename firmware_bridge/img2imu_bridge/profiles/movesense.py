"""Movesense sensors whose firmware has the GATT sensor data service (GSP), as the default one has.

A path such as `/Meas/IMU6/52` is subscribed to under a number of ours. A packet is the kind, that number, a
time in ms, then all of its accelerations, then all of its angular rates. One that is too long for the link
comes in two parts.

Facts: the maker's description, movesense.com/docs/esw/gatt_sensordata_protocol, as several public clients
have it.
"""

from __future__ import annotations

import struct
from typing import Final

import numpy as np

from img2imu_bridge.profiles import Device, Packet, PacketError, Stream, Wishes
from img2imu_bridge.profiles.coded import CodedProfile, answer_that
from img2imu_bridge.profiles.numbers import scaled
from img2imu_bridge.profiles.table import UNITS, Recognition
from img2imu_bridge.profiles.template import nearest
from img2imu_edge.errors import SourceError
from img2imu_edge.samples import ACCELEROMETER, GYROSCOPE

COMMAND: Final = "34800001-7185-4d5d-b431-630e7050e8f0"
"""Where commands are written."""
NOTIFY: Final = "34800002-7185-4d5d-b431-630e7050e8f0"
"""Where answers and packets come."""

RATES: Final = (13.0, 26.0, 52.0, 104.0, 208.0, 416.0, 833.0)
"""Hz; the link carries the last ones only if nothing else is on the air."""

_REFERENCE: Final = 99  # any number but 0
_SUBSCRIBE, _UNSUBSCRIBE = 1, 2
_ANSWER, _DATA, _SECOND_PART = 1, 2, 3
_HEADER: Final = struct.Struct("<BBI")
_AXES: Final = 3
_DEFAULT_RATE: Final = 52.0
_MOST_MISSING: Final = 3
_WORTH: Final = (1.0,) * _AXES + (UNITS["deg/s"],) * _AXES


class MovesenseDecoder:
    """See `Decoder`."""

    def __init__(self) -> None:
        self._sensors = 0  # in a packet; 0 before the start
        self._parts: int | None = None  # of a packet; unknown before the second notification
        self._held = b""
        self._missing = 0  # second parts, one after the other

    async def start(self, device: Device, wishes: Wishes) -> tuple[Stream, ...]:
        """Subscribe to the accelerometer, or to both sensors."""
        rate = nearest(wishes.rate or _DEFAULT_RATE, RATES)
        path = f"/Meas/{'IMU6' if wishes.gyroscope else 'Acc'}/{rate:g}"
        await device.subscribe(NOTIFY)
        await device.write(COMMAND, bytes((_SUBSCRIBE, _REFERENCE)) + path.encode())
        answer = await answer_that(device, NOTIFY, lambda value: value[1:2] == bytes((_REFERENCE,)))
        # A packet in its place answers too: old firmware says nothing else.
        if answer[0] == _ANSWER:
            code = int.from_bytes(answer[2:4], "little")
            if code not in (200, 201):
                raise SourceError(
                    f"the Movesense refuses {path} (code {code}); another rate, or a firmware with the GATT "
                    "sensor data service, may help"
                )
        self._sensors = 2 if wishes.gyroscope else 1
        channels = (ACCELEROMETER + GYROSCOPE)[: _AXES * self._sensors]
        return (Stream("imu", channels, rate, tick_bits=32, ticks_per_second=1000.0),)

    def decode(self, characteristic: str, value: bytes) -> list[Packet]:
        """Understand a packet, or a part of one."""
        if characteristic != NOTIFY or not self._sensors or len(value) < 2 or value[1] != _REFERENCE:
            return []
        if value[0] == _SECOND_PART:
            first, self._held, self._missing = self._held, b"", 0
            self._parts = 2 if first else None
            if not first:
                raise PacketError("the second part of a packet, without the first")
            return [self._read(first + value[2:])]
        if value[0] != _DATA:
            return []
        if self._parts == 1:
            return [self._read(value)]
        before, self._held = self._held, value
        if not before:
            return []
        if self._parts == 2:
            self._missing += 1
            if self._missing >= _MOST_MISSING:  # so it was no second part that was taken for one
                self._parts, self._missing = None, 0
            raise PacketError("the second part of a packet is missing")
        self._parts, self._held = 1, b""
        return [self._read(before), self._read(value)]

    async def stop(self, device: Device) -> None:
        """Unsubscribe."""
        await device.write(COMMAND, bytes((_UNSUBSCRIBE, _REFERENCE)))

    def _read(self, packet: bytes) -> Packet:
        body = packet[_HEADER.size :]
        count, rest = divmod(len(body), 4 * _AXES * self._sensors)
        if not count or rest:
            raise PacketError(f"{len(packet)} bytes are no whole number of samples")
        _, _, ticks = _HEADER.unpack_from(packet)
        groups = np.frombuffer(body, "<f4").reshape(self._sensors, count, _AXES)
        numbers = groups.swapaxes(0, 1).ravel().tolist()
        return Packet("imu", scaled(numbers, _WORTH[: _AXES * self._sensors]), None, ticks)


PROFILE: Final = CodedProfile(
    name="movesense",
    title="Movesense",
    checked="from public clients of the maker's protocol; not seen on hardware",
    recognition=Recognition(names=("Movesense*",), services=("34802252-7185-4d5d-b431-630e7050e8f0",)),
    make=MovesenseDecoder,
)

"""OpenEarable 2: an earable that describes its own sensors.

The list of its sensors is read, each is asked for its description, and the first with an accelerometer and a
gyroscope is told to stream. A packet is the sensor's number, a size, a time in µs at the first sample, the
samples, and the time between them if there are several.

Facts: OpenEarable/open-earable-2, include/openearable_common.h, src/ParseInfo/*, sensor_service.c (its README
has another time); OpenEarable/open_earable_flutter, v2_sensor_value_parser.dart.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from itertools import chain
from operator import itemgetter
from typing import Any, Final

import numpy as np

from img2imu_bridge.profiles import Device, Packet, PacketError, Stream, Wishes
from img2imu_bridge.profiles.coded import CodedProfile
from img2imu_bridge.profiles.numbers import scaled
from img2imu_bridge.profiles.openearable_scheme import Scheme, read_scheme
from img2imu_bridge.profiles.table import UNITS, Recognition
from img2imu_bridge.profiles.template import nearest
from img2imu_edge.errors import SourceError
from img2imu_edge.samples import ACCELEROMETER, GYROSCOPE

CONFIG: Final = "34c2e3be-34aa-11eb-adc1-0242ac120002"
"""Where a sensor is told to stream."""
DATA: Final = "34c2e3bc-34aa-11eb-adc1-0242ac120002"
"""Where packets come."""
SENSORS: Final = "caa25cb9-7e1b-44f2-adc9-e8c06c9ced43"
"""The list of sensors: how many, then their numbers."""
REQUEST: Final = "caa25cba-7e1b-44f2-adc9-e8c06c9ced43"
"""Where a sensor's number is written, to have its description."""
SCHEME: Final = "caa25cbb-7e1b-44f2-adc9-e8c06c9ced43"
"""Where the description then is."""

_STREAM: Final = 1  # over BLE; 2 is the memory card
_HEADER: Final = struct.Struct("<BBQ")
_SPACING: Final = 2  # bytes at the end of a packet with several samples
_DEFAULT_RATE: Final = 50.0
_UNITS: Final = {"g": "g", "m/s^2": "m/s2", "m/s²": "m/s2", "m/s2": "m/s2"} | {
    "dps": "deg/s", "deg/s": "deg/s", "°/s": "deg/s", "rad/s": "rad/s",
}  # fmt: skip


class OpenEarableDecoder:
    """See `Decoder`."""

    def __init__(self) -> None:
        self._scheme: Scheme | None = None
        self._channels: tuple[str, ...] = ()
        self._worth: tuple[float, ...] = ()
        self._choose: Callable[[Any], Any] = tuple
        self._index = 0

    async def start(self, device: Device, wishes: Wishes) -> tuple[Stream, ...]:
        """Find the sensor, learn what it sends, and have it stream."""
        scheme = await _find(device)
        wanted = ACCELEROMETER + (GYROSCOPE if wishes.gyroscope else ())
        channels = tuple(channel for channel in wanted if channel in scheme.units)
        for channel in channels:
            if scheme.units[channel] not in _UNITS:
                raise SourceError(
                    f"{channel} is in {scheme.units[channel]!r}, which this profile does not know"
                )
        if not scheme.rates:
            raise SourceError(f"the sensor {scheme.name!r} has no rates; update the earable's firmware")
        rate = nearest(wishes.rate or _DEFAULT_RATE, scheme.rates)
        self._scheme, self._channels, self._index = scheme, channels, scheme.rates.index(rate)
        self._worth = tuple(UNITS[_UNITS[scheme.units[channel]]] for channel in channels)
        names = scheme.kind.names or ()
        self._choose = itemgetter(*(names.index(channel) for channel in channels))
        await device.subscribe(DATA)
        await device.write(CONFIG, bytes((scheme.id, self._index, _STREAM)))
        return (Stream("imu", channels, rate, tick_bits=64, ticks_per_second=1e6),)

    def decode(self, characteristic: str, value: bytes) -> list[Packet]:
        """Understand a packet."""
        scheme = self._scheme
        if characteristic != DATA or scheme is None or value[:1] != bytes((scheme.id,)):
            return []
        count, rest = divmod(len(value) - _HEADER.size, scheme.kind.itemsize)
        if count < 1 or rest not in (0, _SPACING):
            raise PacketError(f"{len(value)} bytes are no whole number of samples")
        _, _, ticks = _HEADER.unpack_from(value)
        samples = np.frombuffer(value, scheme.kind, count, _HEADER.size).tolist()
        numbers = chain.from_iterable(map(self._choose, samples))
        return [Packet("imu", scaled(numbers, self._worth), None, ticks)]

    async def stop(self, device: Device) -> None:
        """Switch the sensor off."""
        if self._scheme is not None:
            await device.write(CONFIG, bytes((self._scheme.id, self._index, 0)))


async def _find(device: Device) -> Scheme:
    """The first sensor with both accelerometer and gyroscope, else the first with an accelerometer."""
    listed = await device.read(SENSORS)
    found: list[Scheme] = []
    for number in listed[1 : 1 + min(listed[0], 16)] if listed else b"":
        await device.write(REQUEST, bytes((number,)))
        scheme = read_scheme(await device.read(SCHEME))
        if scheme.id != number or not set(ACCELEROMETER) <= set(scheme.units):
            continue
        if set(GYROSCOPE) <= set(scheme.units):
            return scheme
        found.append(scheme)
    if not found:
        raise SourceError("the earable describes no accelerometer; update its firmware to 2.2 or later")
    return found[0]


PROFILE: Final = CodedProfile(
    name="openearable",
    title="OpenEarable 2",
    checked="from the firmware's source; not seen on hardware",
    recognition=Recognition(names=("OpenEarable*",), services=("caa25cb7-7e1b-44f2-adc9-e8c06c9ced43",)),
    make=OpenEarableDecoder,
)

"""Polar's measurement data service (PMD): H10, Verity Sense, OH1, 360.

A control point is asked what can be measured and how, and told to start; frames then come on another
characteristic. Each is stamped in nanoseconds at its last sample. The start's answer may give a factor.

Facts: polarofficial/polar-ble-sdk, …/gatt/client/pmd/{BlePMDClient,PmdSetting,PmdMeasurementType}.kt. Verity
Sense has an SDK mode with rates up to 416 Hz, which switches its own algorithms off; it is left as it is.
"""

from __future__ import annotations

import math
import struct
from typing import Final

from img2imu_bridge.profiles import Device, Packet, Stream, Wishes
from img2imu_bridge.profiles.coded import CodedProfile, answer_that
from img2imu_bridge.profiles.numbers import to_values
from img2imu_bridge.profiles.polar_frames import ACC, GYRO, read_frame
from img2imu_bridge.profiles.table import UNITS, Recognition
from img2imu_bridge.profiles.template import nearest
from img2imu_edge.errors import SourceError
from img2imu_edge.samples import ACCELEROMETER, GYROSCOPE

CONTROL: Final = "fb005c81-02e7-f387-1cad-8acd2d8df0c8"
"""Where commands are written, and answered."""
DATA: Final = "fb005c82-02e7-f387-1cad-8acd2d8df0c8"
"""Where frames come."""

_SETTINGS, _START, _STOP = 1, 2, 3
_FEATURES, _ANSWER = 0x0F, 0xF0
_RATE, _RANGE, _FACTOR = 0, 2, 5
_SIZES: Final = {0: 2, 1: 2, 2: 2, 3: 4, 4: 1, 5: 4, 6: 16}
_CHOSEN: Final = (0, 1, 2, 3, 4)
_WANTED_RANGE: Final = 8  # g; more than a wrist does, with the resolution that is left
_DEFAULT_RATE: Final = 50.0
_ALREADY: Final = 6
_ONE: Final = 0x3F800000  # the bits of 1.0
_MOST_PARTS: Final = 8
_STREAMS: Final = {ACC: ("acc", ACCELEROMETER), GYRO: ("gyr", GYROSCOPE)}
_ADVICE: Final = {
    3: "it does not offer that; update its firmware with Polar's app",
    10: "the link's packets are too short; update BlueZ",
    12: "it is busy with something else; end its recording or exercise",
    13: "take it off the charger",
    14: "its memory is full; empty it with Polar's app",
}


class PolarDecoder:
    """See `Decoder`."""

    def __init__(self) -> None:
        self._factors: dict[int, float] = {}

    async def start(self, device: Device, wishes: Wishes) -> tuple[Stream, ...]:
        """Ask for the accelerometer, and for the gyroscope where there is one."""
        await device.subscribe(CONTROL)
        await device.subscribe(DATA)
        features = await device.read(CONTROL)
        if len(features) < 2 or features[0] != _FEATURES or not features[1] >> ACC & 1:
            raise SourceError("this Polar streams no acceleration; an H10, Verity Sense, OH1 or 360 does")
        wanted = [ACC, *([GYRO] if wishes.gyroscope and features[1] >> GYRO & 1 else [])]
        return tuple([await self._begin(device, measurement, wishes) for measurement in wanted])

    def decode(self, characteristic: str, value: bytes) -> list[Packet]:
        """Understand a frame."""
        if characteristic != DATA or not value or value[0] & 0x3F not in self._factors:
            return []
        frame = read_frame(value)
        name, _ = _STREAMS[frame.measurement]
        factor = self._factors[frame.measurement]
        if frame.measurement == GYRO:
            worth = UNITS["deg/s"] * factor
        elif frame.form == 0x80:
            worth = UNITS["g"] * factor
        else:
            worth = UNITS["mg"] * (factor if frame.form & 0x80 else 1.0)
        return [Packet(name, to_values(frame.counts, worth), None, frame.ticks)]

    async def stop(self, device: Device) -> None:
        """Stop what was started."""
        for measurement in self._factors:
            await device.write(CONTROL, bytes((_STOP, measurement)))

    async def _begin(self, device: Device, measurement: int, wishes: Wishes) -> Stream:
        """Choose among what the device offers, and start."""
        offered = parse_settings(await _ask(device, _SETTINGS, measurement))
        rates = [float(rate) for rate in offered.get(_RATE, [])]
        if not rates or not all(rates):
            raise SourceError("it offers no sampling rate; update its firmware with Polar's app")
        rate = nearest(wishes.rate or _DEFAULT_RATE, rates)
        chosen = {kind: max(values) for kind, values in offered.items() if kind in _CHOSEN and values}
        chosen[_RATE] = round(rate)
        if measurement == ACC and _WANTED_RANGE in offered.get(_RANGE, []):
            chosen[_RANGE] = _WANTED_RANGE
        told = b"".join(
            bytes((kind, 1)) + value.to_bytes(_SIZES[kind], "little")
            for kind, value in sorted(chosen.items())
        )
        answer = parse_settings(await _ask(device, _START, measurement, told))
        (factor,) = struct.unpack("<f", struct.pack("<I", (answer.get(_FACTOR) or [_ONE])[0]))
        if not math.isfinite(factor) or factor == 0:
            raise SourceError(f"it tells {factor} for what a count is worth; update its firmware")
        self._factors[measurement] = factor
        name, channels = _STREAMS[measurement]
        return Stream(name, channels, rate, tick_bits=64, ticks_per_second=1e9, stamps="last")


def parse_settings(data: bytes) -> dict[int, list[int]]:
    """Read settings: type, number of values, values.

    Raises:
        SourceError: If they are cut short.
    """
    found: dict[int, list[int]] = {}
    at = 0
    while at + 2 <= len(data) and data[at] in _SIZES:
        kind, count, size = data[at], data[at + 1], _SIZES[data[at]]
        values = data[at + 2 : at + 2 + count * size]
        if len(values) < count * size:
            raise SourceError("the settings that it offers are cut short; switch it off and on")
        found[kind] = [int.from_bytes(values[i : i + size], "little") for i in range(0, len(values), size)]
        at += 2 + count * size
    return found


async def _ask(device: Device, command: int, measurement: int, parameters: bytes = b"") -> bytes:
    """Have the control point do something; returns what it says of it."""
    request = bytes((command, measurement)) + parameters
    status, said = await _try(device, request)
    if status == _ALREADY and command == _START:  # from a connection that nobody ended
        await _try(device, bytes((_STOP, measurement)))
        status, said = await _try(device, request)
    if status:
        raise SourceError(
            f"the Polar refuses (status {status}): {_ADVICE.get(status, 'switch it off and on')}"
        )
    return said


async def _try(device: Device, request: bytes) -> tuple[int, bytes]:
    def fits(value: bytes) -> bool:
        return len(value) >= 4 and value[:2] == bytes((_ANSWER, request[0])) and value[2] == request[1]

    await device.write(CONTROL, request)
    said = bytearray()
    for _ in range(_MOST_PARTS):
        value = await answer_that(device, CONTROL, fits)
        if value[3]:
            return value[3], b""
        said += value[5:]
        if len(value) < 5 or not value[4]:
            return 0, bytes(said)
    raise SourceError("its answer does not end; switch it off and on")


PROFILE: Final = CodedProfile(
    name="polar",
    title="Polar H10, Verity Sense, OH1, 360",
    checked="from the maker's SDK, against frames in its tests; not seen on hardware",
    recognition=Recognition(
        names=("Polar H10*", "Polar Sense*", "Polar OH1*", "Polar 360*"),
        services=("fb005c80-02e7-f387-1cad-8acd2d8df0c8",),
    ),
    make=PolarDecoder,
)

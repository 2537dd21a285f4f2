"""From the app's readings to packets with our axes and units.

| | acceleration and gravity | sign: an axis that points up at rest |
|---|---|---|
| watch, as the app is installed | g | negative on an Apple Watch |
| watch, with "Standardise Units & Frames" | m/s² | positive |
| iPhone, as the app is installed | m/s² | negative |
| Android, or an iPhone with that setting | m/s² | positive |

Rotation is in rad/s and right-handed everywhere. What the phone calls accelerometer lacks gravity.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from enum import StrEnum
from operator import add
from typing import Final

import numpy as np

from img2imu_bridge.profiles import Packet, Stream
from img2imu_bridge.profiles.pace import nominal
from img2imu_bridge.sensorlogger.messages import ACCELERATION, GRAVITY, ROTATION, TOTAL, WRIST, Reading
from img2imu_edge.errors import SourceError
from img2imu_edge.samples import ACCELEROMETER, GYROSCOPE, STANDARD_GRAVITY, SampleBlock

_GRAVITY_CHANNELS: Final = ("gravity_x", "gravity_y", "gravity_z")
_CHANNELS: Final = {
    WRIST: ACCELEROMETER + GYROSCOPE,
    ACCELERATION: ACCELEROMETER,
    TOTAL: ACCELEROMETER,
    GRAVITY: _GRAVITY_CHANNELS,
    ROTATION: GYROSCOPE,
}
_ENOUGH: Final = 20
_IN_G: Final = 3.0
_NANOSECONDS: Final = 1e9


class Worn(StrEnum):
    """Whose motion it is."""

    AUTO = "auto"
    WATCH = "watch"
    PHONE = "phone"


class Frames(StrEnum):
    """Which way the axes count; see the table above."""

    AUTO = "auto"
    ANDROID = "android"
    IOS = "ios"


class Motion:
    """Knows which sensors make the motion, and what their numbers mean, once enough of them came.

    Args:
        worn: Whose motion is wanted; by default the watch's, if there is one when it begins.
        frames: Which way axes count; by default an Apple Watch's if it is in g, else positive.

    Attributes:
        streams: What comes; empty until that is known.
        warning: What the user should know of it; empty if there is nothing.
    """

    def __init__(self, worn: Worn = Worn.AUTO, frames: Frames = Frames.AUTO) -> None:
        self.streams: tuple[Stream, ...] = ()
        self.warning = ""
        self._worn, self._frames = worn, frames
        self._factor = 1.0
        self._used: frozenset[str] = frozenset()

    def learn(self, readings: Sequence[Reading]) -> bool:
        """Look at all readings so far; returns whether that is enough.

        Raises:
            SourceError: If the phone's acceleration comes without gravity.
        """
        counted = Counter(reading.sensor for reading in readings)
        if counted[WRIST] >= _ENOUGH and self._worn is not Worn.PHONE:
            self._use((WRIST,), readings)
            return True
        if self._worn is Worn.WATCH:
            return False
        extra = (ROTATION,) if counted[ROTATION] >= _ENOUGH / 2 else ()
        if counted[TOTAL] >= _ENOUGH:
            self._use((TOTAL, *extra), readings)
        elif counted[ACCELERATION] >= _ENOUGH and counted[GRAVITY]:
            self._use((ACCELERATION, GRAVITY, *extra), readings)
        elif counted[ACCELERATION] >= 2 * _ENOUGH:
            raise SourceError(
                "the phone's accelerometer comes without gravity, which models need: switch on the sensor "
                "Gravity in the app as well"
            )
        return bool(self.streams)

    def packets(self, readings: Sequence[Reading]) -> list[Packet]:
        """The readings that make the motion."""
        packets, factor = [], self._factor
        for sensor, time, row in readings:
            if sensor not in self._used:
                continue
            if sensor == WRIST:
                row = (*(total * factor for total in map(add, row[:3], row[3:6])), *row[6:])
            elif sensor != ROTATION:
                row = tuple(number * factor for number in row)
            packets.append(Packet(sensor, np.array([row], np.float32), None, time))
        return packets

    @property
    def channels(self) -> tuple[str, ...]:
        """What `finish` leaves."""
        names = (name for stream in self.streams for name in stream.channels)
        return tuple(name for name in names if name not in _GRAVITY_CHANNELS)

    def finish(self, block: SampleBlock) -> SampleBlock:
        """Add gravity where it is apart."""
        if _GRAVITY_CHANNELS[0] not in block.channels:
            return block
        at = block.channels.index(_GRAVITY_CHANNELS[0])
        values = np.delete(block.values, slice(at, at + 3), axis=1)
        values[:, :3] += block.values[:, at : at + 3]
        return dataclasses.replace(block, values=values, channels=self.channels)

    def _use(self, sensors: tuple[str, ...], readings: Sequence[Reading]) -> None:
        self._used = frozenset(sensors)
        self.streams = tuple(
            Stream(name, _CHANNELS[name], _rate(name, readings), tick_bits=64, ticks_per_second=_NANOSECONDS)
            for name in sensors
        )
        in_g = False
        if WRIST in sensors:
            pulls = [np.linalg.norm(r.values[3:6]) for r in readings if r.sensor == WRIST]
            in_g = float(np.median(pulls)) < _IN_G
        frames = self._frames
        if frames is Frames.AUTO:
            frames = Frames.IOS if in_g else Frames.ANDROID
            self.warning = _ASSUMED[in_g] if in_g or WRIST not in sensors else ""
        sign = -1.0 if frames is Frames.IOS and TOTAL not in sensors else 1.0
        self._factor = sign * (STANDARD_GRAVITY if in_g else 1.0)


_ASSUMED: Final = {
    True: "the watch sends g, so it is taken for an Apple Watch, whose axes count the other way round. If it "
    "is none, add frames=android; best switch on 'Standardise Units & Frames' in the app's settings",
    False: "the phone is taken for an Android one, or 'Standardise Units & Frames' to be on in the app's "
    "settings. Say frames=android if so; frames=ios for an iPhone without that",
}


def _rate(sensor: str, readings: Sequence[Reading]) -> float:
    times = np.unique([reading.time for reading in readings if reading.sensor == sensor])
    usual = float(np.median(np.diff(times))) if len(times) > 1 else _NANOSECONDS / 50
    return nominal(_NANOSECONDS / usual)

"""INFO: what a device says about itself."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum

from img2imu_bridge.wire.protocol import MessageError

AXES = ("x", "y", "z")


class Kind(IntEnum):
    """What a sensor measures."""

    ACC = 1
    """Specific force in m/s²."""
    GYR = 2
    """Angular rate in rad/s."""
    MAG = 3
    """Magnetic flux density in µT."""


@dataclass(frozen=True, slots=True)
class SensorInfo:
    """One three-axis sensor: a raw count is worth num / den in SI units (µT for a magnetometer).

    Attributes:
        kind: What it measures.
        num: Numerator, 1 to 2³² - 1.
        den: Denominator, 1 to 2³² - 1.

    Raises:
        MessageError: If the fraction is not a positive one of 32-bit numbers.
    """

    kind: Kind
    num: int
    den: int

    def __post_init__(self) -> None:
        if not (0 < self.num < 1 << 32 and 0 < self.den < 1 << 32):
            raise MessageError(f"the scale of {self.kind.name} is {self.num}/{self.den}")

    @property
    def axes(self) -> int:
        """Values that this sensor adds to a sample."""
        return len(AXES)

    @property
    def scale(self) -> float:
        """SI units in one count."""
        return self.num / self.den

    @property
    def channels(self) -> tuple[str, ...]:
        """Column names, such as `acc_x`."""
        return tuple(f"{self.kind.name.lower()}_{axis}" for axis in AXES)


@dataclass(frozen=True, slots=True)
class Info:
    """A device's description, and one moment at which its clock and its sample counter were read together.

    Attributes:
        name: For people; at most 32 bytes of UTF-8 travel.
        sensors: In the order of a sample's values; each kind at most once.
        rate: Nominal sampling rate in Hz, kept to 1 mHz.
        ticks_per_second: Unit of the device's clock.
        boot_id: Differs after every power-up.
        ticks: The clock when this was said; it counts from power-up and never wraps.
        next_index: Number of the sample that is taken next, counted from power-up.
        streaming: Whether samples are being taken.

    Raises:
        MessageError: If a device could not mean it: no sensor, one kind twice, no rate, no clock.
    """

    name: str
    sensors: tuple[SensorInfo, ...]
    rate: float
    ticks_per_second: int
    boot_id: int = 0
    ticks: int = 0
    next_index: int = 0
    streaming: bool = False

    def __post_init__(self) -> None:
        kinds = [sensor.kind for sensor in self.sensors]
        if not kinds or len(set(kinds)) != len(kinds):
            raise MessageError(f"the sensors are {[kind.name for kind in kinds]}, not one or more different")
        if not (math.isfinite(self.rate) and 0 < round(self.rate * 1000) < 1 << 32):
            raise MessageError(f"the sampling rate is {self.rate} Hz")
        if not 0 < self.ticks_per_second < 1 << 32:
            raise MessageError(f"the clock has {self.ticks_per_second} ticks in a second")

    @property
    def channels(self) -> tuple[str, ...]:
        """Column names of a sample, such as `("acc_x", …, "gyr_z")`."""
        return tuple(name for sensor in self.sensors for name in sensor.channels)

    @property
    def sample_size(self) -> int:
        """Bytes of one sample in a DATA message."""
        return 2 * sum(sensor.axes for sensor in self.sensors)

    @property
    def period(self) -> float:
        """Nominal ticks between two samples."""
        return self.ticks_per_second * 1000 / round(self.rate * 1000)

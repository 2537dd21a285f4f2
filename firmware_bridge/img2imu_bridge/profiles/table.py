"""Tables: a device profile as data, read from a TOML file."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Literal

from img2imu_bridge.profiles import Advertisement
from img2imu_bridge.profiles.template import uuid
from img2imu_edge.samples import STANDARD_GRAVITY

UNITS = {
    "m/s2": 1.0, "g": STANDARD_GRAVITY, "mg": STANDARD_GRAVITY / 1000,
    "rad/s": 1.0, "deg/s": math.pi / 180, "mdeg/s": math.pi / 180_000,
}  # fmt: skip
"""What a unit is worth in SI."""


@dataclass(frozen=True, slots=True)
class Recognition:
    """How an advertisement gives a device away: any one of these will do.

    Attributes:
        names: Its name; `*` stands for anything.
        services: UUIDs that it advertises, 4 or 32 hexadecimal digits.
        companies: Company identifiers of its manufacturer data.
    """

    names: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    companies: tuple[int, ...] = ()

    def fits(self, advertisement: Advertisement) -> bool:
        """Whether that is how this device advertises."""
        return (
            any(fnmatchcase(advertisement.name, name) for name in self.names)
            or any(uuid(service) in advertisement.services for service in self.services)
            or any(company in advertisement.manufacturer for company in self.companies)
        )


@dataclass(frozen=True, slots=True)
class Choice:
    """A sensor's range, which the device tells in some bits of a characteristic.

    Attributes:
        read: The characteristic.
        byte: Which of its bytes.
        shift: Bits below those that count.
        mask: Those that count, after the shift.
        per_unit: Counts per unit, by what the bits say.
    """

    read: str
    byte: int
    shift: int
    mask: int
    per_unit: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.per_unit or 0 in self.per_unit:
            raise ValueError("per_unit must have a number for each range, none of them 0")
        if self.byte < 0 or self.shift < 0:
            raise ValueError("byte and shift must not be negative")


@dataclass(frozen=True, slots=True)
class Scale:
    """What a sensor's counts are worth.

    Attributes:
        unit: One of `UNITS`.
        per_unit: Counts per unit.
        choice: Where the device tells the counts per unit itself.
    """

    unit: str
    per_unit: float = 1.0
    choice: Choice | None = None

    def __post_init__(self) -> None:
        if self.unit not in UNITS:
            raise ValueError(f"unit {self.unit!r} is not one of {', '.join(UNITS)}")
        if self.per_unit == 0:
            raise ValueError("per_unit must not be 0")


@dataclass(frozen=True, slots=True)
class StreamTable:
    """One kind of packet.

    Attributes:
        characteristic: Its UUID, 4 or 32 hexadecimal digits.
        layout: What it holds; see `Layout`.
        rate: Sampling rate in Hz if nothing is asked for.
        order: Order of the bytes of a number.
        scales: Of each sensor, `acc` and `gyr`.
        mount: Axes that point another way than the house's, such as `{acc_x = "-acc_y"}`.
        sequence_counts: See `Stream`.
        ticks_per_second: See `Stream`.
        stamps: See `Stream`.
    """

    characteristic: str
    layout: str
    rate: float
    scales: dict[str, Scale]
    order: Literal["little", "big"] = "little"
    mount: dict[str, str] = field(default_factory=dict)
    sequence_counts: Literal["packets", "samples"] = "packets"
    ticks_per_second: float = 1.0
    stamps: Literal["first", "last"] = "first"


@dataclass(frozen=True, slots=True)
class Command:
    """Something to write to the device.

    Attributes:
        write: The characteristic.
        value: Bytes in hexadecimal; see `template.fill`.
        response: Whether to wait until the device confirms.
        pause_s: Seconds to wait afterwards.
    """

    write: str
    value: str
    response: bool = True
    pause_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Table:
    """A profile file.

    Attributes:
        name: What users write.
        title: What people call the device.
        checked: How much of it was ever seen on hardware.
        source: Where the facts come from.
        recognise: How it gives itself away.
        stream: Its packets; the first stream sets the pace.
        start: What to write once the streams are subscribed to.
        stop: What to write before leaving.
        rates: Sampling rates in Hz that can be asked for; empty where there is no choice.
        codes: What `{code}` stands for in a command, one for each rate.
    """

    name: str
    title: str
    checked: str
    source: str
    recognise: Recognition
    stream: dict[str, StreamTable]
    start: tuple[Command, ...] = ()
    stop: tuple[Command, ...] = ()
    rates: tuple[float, ...] = ()
    codes: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not self.stream:
            raise ValueError("it has no stream")
        if any(rate <= 0 for rate in (*self.rates, *(stream.rate for stream in self.stream.values()))):
            raise ValueError("a sampling rate must be positive")
        if self.codes and len(self.codes) != len(self.rates):
            raise ValueError(f"there are {len(self.rates)} rates, but {len(self.codes)} codes")
        if not all(0 <= code <= 255 for code in self.codes):
            raise ValueError("a code is a byte, 0 to 255")

"""Profiles: devices that do not speak our wire protocol, and how to understand them.

A profile knows how a device is recognised, got going, and what its packets mean. It does no input or output
of its own and tells no time: it turns bytes into numbers in SI units, and says what the device said of order
and time. `timeline` makes samples of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray


class PacketError(ValueError):
    """A packet that is not what the profile says it should be; it is counted as corrupt and left out."""


@dataclass(frozen=True, slots=True)
class Advertisement:
    """What a device tells the world about itself.

    Attributes:
        address: Its address; on macOS, an identifier that only this computer knows.
        name: Its name, empty if it tells none.
        rssi: Signal strength in dBm.
        services: UUIDs of services, 128 bits in lower case.
        manufacturer: Data by company identifier.
    """

    address: str
    name: str = ""
    rssi: int = -127
    services: frozenset[str] = frozenset()
    manufacturer: Mapping[int, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stream:
    """One kind of packet, and what its numbers of order and time mean.

    A device may send several streams, such as one for each sensor.

    Attributes:
        name: Tells the streams of a device apart.
        channels: Columns of a packet's values, such as `acc_x`.
        rate: Nominal sampling rate in Hz.
        sequence_bits: Width of the sequence number, 0 without one.
        sequence_counts: What is counted: packets, or samples (the number is the first sample's).
        tick_bits: Width of the time stamp, 0 without one.
        ticks_per_second: Its unit.
        stamps: Which sample of a packet the stamp belongs to.
    """

    name: str
    channels: tuple[str, ...]
    rate: float
    sequence_bits: int = 0
    sequence_counts: Literal["packets", "samples"] = "packets"
    tick_bits: int = 0
    ticks_per_second: float = 1.0
    stamps: Literal["first", "last"] = "first"


class Packet(NamedTuple):
    """Samples that came together.

    Attributes:
        stream: Name of their stream.
        values: (samples, channels) float32, SI units.
        sequence: The sequence number as sent, not unwrapped; None without one.
        ticks: The time stamp as sent, not unwrapped; None without one.
    """

    stream: str
    values: NDArray[np.float32]
    sequence: int | None = None
    ticks: int | None = None


class Notification(NamedTuple):
    """What a device said.

    Attributes:
        characteristic: Who of it said so, as `Device` names them.
        value: The bytes; a chunk of any length on a serial port.
        received: `time.monotonic()` when they arrived.
    """

    characteristic: str
    value: bytes
    received: float


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the user asked for; a profile comes as near as its device can.

    Attributes:
        rate: Sampling rate in Hz; None for the profile's default.
        gyroscope: Whether the gyroscope is wanted, where there is one.
    """

    rate: float | None = None
    gyroscope: bool = True


class Device(Protocol):
    """A connected device, whatever carries it.

    BLE characteristics are named by their UUID, 128 bits in lower case; a serial port has the one name "".
    """

    async def read(self, characteristic: str) -> bytes:
        """Read a value.

        Raises:
            LinkLostError: If the connection is gone.
            SourceError: If the device has no such characteristic, or refuses.
        """
        ...

    async def write(self, characteristic: str, value: bytes, *, response: bool = True) -> None:
        """Write a value; raises as `read` does."""
        ...

    async def subscribe(self, characteristic: str) -> None:
        """Have the device send a characteristic's values from now on; raises as `read` does."""
        ...

    async def answer(self, characteristic: str, seconds: float) -> bytes:
        """Wait for the next value of a subscribed characteristic, while a conversation sets things up.

        What other characteristics send meanwhile is kept for later.

        Raises:
            LinkLostError: If the connection is gone.
            SourceError: If nothing came in time.
        """
        ...


class Decoder(Protocol):
    """One connection's understanding of a device: what it remembers lasts as long as the connection."""

    async def start(self, device: Device, wishes: Wishes) -> tuple[Stream, ...]:
        """Get the device going, subscriptions included.

        Returns:
            The streams that will come. The first is the one whose samples set the pace.

        Raises:
            SourceError: If the device is another one, or refuses; the message says what to do.
        """
        ...

    def decode(self, characteristic: str, value: bytes) -> list[Packet]:
        """Understand a value that was sent; a chunk of bytes on a serial port.

        Raises:
            PacketError: If it is malformed.
        """
        ...

    async def stop(self, device: Device) -> None:
        """Have the device stop, if it needs to be told."""
        ...


class Profile(Protocol):
    """A kind of device.

    Attributes:
        name: What users write: `ble://…?profile=NAME`.
        title: What people call the device.
        carrier: What its packets come over.
        checked: How much of it was ever seen on hardware, for the table of devices.
    """

    name: str
    title: str
    carrier: Literal["ble", "serial"]
    checked: str

    def recognises(self, advertisement: Advertisement) -> bool:
        """Whether a device that advertises this is one of these."""
        ...

    def decoder(self) -> Decoder:
        """A decoder for one connection."""
        ...

"""`serial:///dev/ttyUSB0?baud=115200`: a device on a serial port."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from urllib.parse import SplitResult

from img2imu_bridge.options import path_of
from img2imu_bridge.profiles import Notification, Wishes
from img2imu_bridge.profiles.registry import find_profile
from img2imu_bridge.sources.profile import ProfileSource
from img2imu_bridge.supervisor import LinkPolicy, WireSource
from img2imu_bridge.transports.serial import SerialTransport
from img2imu_bridge.transports.serial_bytes import SerialBytes
from img2imu_edge.errors import SourceError
from img2imu_edge.options import options_of
from img2imu_edge.source import LinkStats, Source

_BAUD = 115200


@dataclass(frozen=True, slots=True)
class SerialOptions:
    """Options of `serial:`.

    Attributes:
        baud: Speed, 0 for the profile's usual one, or 115200; devices on USB ignore it.
        profile: What understands the device: a name from `img2imu devices --profiles`. Empty: our wire
            protocol.
        rate: Sampling rate in Hz to ask for, 0 for the device's own.
        timeout: Seconds that the device has to answer once the port is open.
        reconnect: How often a lost device may be found again; 0 to give up at the first loss.
        retry_for: Seconds to look for it each time.
    """

    baud: int = 0
    profile: str = ""
    rate: float = 0.0
    timeout: float = 5.0
    reconnect: float = math.inf
    retry_for: float = math.inf

    def __post_init__(self) -> None:
        if self.baud < 0:
            raise ValueError("baud must not be negative")
        if self.rate < 0:
            raise ValueError("rate must not be negative")
        self.policy()

    def policy(self) -> LinkPolicy:
        """How patient the supervisor is to be."""
        return LinkPolicy(self.timeout, self.reconnect, self.retry_for)


def open_serial(url: SplitResult) -> Source:
    """The source behind a `serial:` URL."""
    options = options_of(url, SerialOptions, SourceError)
    port = path_of(url)
    if not port:
        raise SourceError("serial: needs a port, such as serial:///dev/ttyUSB0 or serial:COM3")
    if not options.profile:
        return serial_source(url.geturl(), port, options)
    profile = copy(find_profile(options.profile))
    if profile.carrier != "serial":
        raise SourceError(f"{profile.title} does not come over a serial port; use ble: for it")
    wishes = Wishes(options.rate or None)
    baud = options.baud or int(getattr(profile, "baud", _BAUD))
    return ProfileSource(
        url.geturl(),
        lambda stats: SerialDevice(port, baud, stats),
        profile,
        wishes,
        options.policy(),
    )


def serial_source(url: str, port: str, options: SerialOptions) -> WireSource:
    """A source on a serial port that is known by its name."""
    return WireSource(
        url,
        lambda stats: SerialTransport(port, options.baud or _BAUD, stats),
        options.policy(),
        options.rate,
    )


class SerialDevice:
    """A device on a serial port that a profile understands; see `ConnectedDevice`.

    Args:
        path: Device file, or a name such as COM3.
        baud: Bits per second.
        stats: Counters to keep current.
    """

    def __init__(self, path: str, baud: int, stats: LinkStats) -> None:
        self.name, self._baud = path, baud
        self._bytes = SerialBytes(path, baud, stats)

    async def open(self) -> None:
        """Open the port for this process alone, and start reading."""
        self._bytes.open()

    async def hear(self) -> Notification:
        """Wait for the next bytes."""
        return Notification("", *await self._bytes.get())

    def hear_more(self) -> Sequence[Notification]:
        """Nothing: `hear` gives all that is there."""
        return ()

    async def read(self, characteristic: str) -> bytes:
        """A serial port has no values to read."""
        raise SourceError(f"{self.name} is a serial port: it has no characteristic {characteristic}")

    async def write(self, characteristic: str, value: bytes, *, response: bool = True) -> None:
        """Send bytes."""
        self._bytes.write(value)

    async def subscribe(self, characteristic: str) -> None:
        """A serial port sends by itself."""

    async def answer(self, characteristic: str, seconds: float) -> bytes:
        """The next bytes that come."""
        try:
            async with asyncio.timeout(seconds):
                return (await self.hear()).value
        except TimeoutError:
            raise SourceError(f"{self.name} said nothing for {seconds:.1f} s") from None

    def facts(self) -> dict[str, str]:
        """What is known of the link, for people."""
        return {"carrier": f"serial, {self._baud} baud", "device": self.name}

    async def close(self) -> None:
        """Close the port."""
        await self._bytes.close()

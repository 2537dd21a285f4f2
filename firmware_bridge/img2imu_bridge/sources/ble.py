"""`ble://C8:2B:96:00:00:01?profile=polar`: a wearable over Bluetooth Low Energy, by its address or name."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from functools import partial
from types import TracebackType
from typing import Self
from urllib.parse import SplitResult

from img2imu_bridge.ble.peripheral import Peripheral
from img2imu_bridge.ble.scan import find
from img2imu_bridge.options import path_of
from img2imu_bridge.profiles import Wishes
from img2imu_bridge.profiles.registry import find_profile, recognise
from img2imu_bridge.profiles.wire import WireProfile
from img2imu_bridge.sources.profile import ProfileSource
from img2imu_bridge.supervisor import LinkPolicy, WireSource
from img2imu_bridge.transport import Transport
from img2imu_bridge.transports.ble import GattTransport
from img2imu_edge.errors import SourceError
from img2imu_edge.options import options_of
from img2imu_edge.samples import SampleBlock
from img2imu_edge.source import LinkStats, StreamInfo

WIRE = "img2imu"
"""The profile's name of devices that speak our wire protocol."""


@dataclass(frozen=True, slots=True)
class BleOptions:
    """Options of `ble:`.

    Attributes:
        profile: What understands the device: a name from `img2imu devices --profiles`, or a TOML file. Empty:
            what its advertisement gives away, else our wire protocol.
        rate: Sampling rate in Hz to ask for, 0 for the device's own.
        gyroscope: Whether the gyroscope is wanted, where there is one.
        require_encryption: Refuse a link that is not encrypted, where the platform can tell.
        scan: Seconds to look for the device.
        timeout: Seconds that connecting may take, and that the device then has to answer.
        tries: How often to try at first.
        reconnect: How often a lost device may be found again; 0 to give up at the first loss.
        retry_for: Seconds to look for it each time.
    """

    profile: str = ""
    rate: float = 0.0
    gyroscope: bool = True
    require_encryption: bool = False
    scan: float = 10.0
    timeout: float = 15.0
    tries: int = 4
    reconnect: float = math.inf
    retry_for: float = math.inf

    def __post_init__(self) -> None:
        if self.rate < 0 or self.scan <= 0:
            raise ValueError("rate must not be negative, scan must be positive")
        self.policy()

    def policy(self) -> LinkPolicy:
        """How patient the supervisor is to be."""
        return LinkPolicy(self.timeout, self.reconnect, self.retry_for, tries=self.tries)


def open_ble(url: SplitResult) -> BleSource:
    """The source behind a `ble:` URL."""
    options, who = options_of(url, BleOptions, SourceError), path_of(url)
    if not who:
        raise SourceError("ble: needs an address or a name, such as ble://C8:2B:96:00:00:01 or ble:MyBand")
    if options.profile not in ("", WIRE):
        profile = find_profile(options.profile)  # a wrong name is told before anything is switched on
        if profile.carrier != "ble":
            raise SourceError(f"{profile.title} comes over a serial port; use serial: for it")
    return BleSource(url.geturl(), who, options)


class BleSource:
    """A wearable over BLE; see `Source`.

    Args:
        url: What the user wrote.
        who: Its address or name.
        options: The options.
    """

    def __init__(self, url: str, who: str, options: BleOptions) -> None:
        self.url, self._who, self._options = url, who, options
        self.stats = LinkStats()
        self._source: WireSource | ProfileSource | None = None
        self._peripheral: Peripheral | None = None

    @property
    def info(self) -> StreamInfo:
        """What the device delivers."""
        return self._entered.info

    @property
    def _entered(self) -> WireSource | ProfileSource:
        if self._source is None:
            raise SourceError(f"{self.url} is not connected; use it with: async with source")
        return self._source

    def link_facts(self) -> dict[str, str]:
        """What is known of the link, for people."""
        profile = f"{WIRE} wire protocol"
        if isinstance(self._source, ProfileSource):
            return self._source.link_facts()
        return {"profile": profile, **(self._peripheral.facts() if self._peripheral else {})}

    async def __aenter__(self) -> Self:
        name = self._options.profile or await self._guess()
        profile = None if name == WIRE else find_profile(name)
        wishes = Wishes(self._options.rate or None, self._options.gyroscope)
        if profile is None or isinstance(profile, WireProfile):
            make = self._transport if profile is None else partial(self._ready, profile, wishes)
            rate = self._options.rate if profile is None else 0.0
            wire = WireSource(self.url, make, self._options.policy(), rate)
            self.stats = wire.stats
            self._source = await wire.__aenter__()
        else:
            policy = replace(self._options.policy(), silence=10.0)
            other = ProfileSource(self.url, self._make, profile, wishes, policy)
            self.stats = other.stats
            self._source = await other.__aenter__()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self._entered.__aexit__(exc_type, exc, tb)

    async def __aiter__(self) -> AsyncIterator[SampleBlock]:
        async for block in self._entered:
            yield block

    async def _guess(self) -> str:
        """The profile that the advertisement gives away."""
        try:
            sighting = await find(self._who, self._options.scan)
        except SourceError as error:
            raise SourceError(f"cannot connect to {self.url}: {error}") from error
        known = recognise(sighting.advertisement)
        return known.name if known else WIRE

    def _make(self, stats: LinkStats) -> Peripheral:
        options = self._options
        self._peripheral = Peripheral(
            self._who,
            stats,
            scan_s=options.scan,
            connect_s=options.timeout,
            encrypted=options.require_encryption,
        )
        return self._peripheral

    def _transport(self, stats: LinkStats) -> GattTransport:
        return GattTransport(self._make(stats))

    def _ready(self, profile: WireProfile, wishes: Wishes, stats: LinkStats) -> Transport:
        return profile.transport(self._make(stats), wishes)

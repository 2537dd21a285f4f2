"""Profiles made of tables: one decoder for all devices whose packets have a fixed layout."""

from __future__ import annotations

import asyncio
import tomllib
from collections.abc import Callable
from itertools import chain
from operator import itemgetter
from pathlib import Path
from typing import Any, Literal, NamedTuple

from img2imu_bridge.profiles import Advertisement, Device, Packet, PacketError, Stream, Wishes
from img2imu_bridge.profiles.layout import Layout
from img2imu_bridge.profiles.numbers import scaled
from img2imu_bridge.profiles.table import UNITS, Command, Scale, StreamTable, Table
from img2imu_bridge.profiles.template import fill, nearest, uuid
from img2imu_edge.errors import SourceError
from img2imu_edge.samples import ACCELEROMETER, GYROSCOPE
from img2imu_edge.strict import StrictError, from_json

_KNOWN = (*ACCELEROMETER, *GYROSCOPE)


class TableProfile:
    """A profile that is data; see `Profile`.

    Args:
        table: The data.

    Raises:
        ValueError: If a layout, a channel or a command makes no sense.
    """

    carrier: Literal["ble", "serial"] = "ble"

    def __init__(self, table: Table) -> None:
        self.table = table
        self.name, self.title, self.checked = table.name, table.title, table.checked
        self.layouts = {name: Layout(s.layout, s.order) for name, s in table.stream.items()}
        _check(table, self.layouts)
        codes = table.codes or (None,) * len(table.rates)
        self.rates = dict(zip(table.rates, codes, strict=True))
        usual = next(iter(table.stream.values())).rate
        for command in (*table.start, *table.stop):
            for rate, code in (self.rates or {usual: None}).items():
                fill(command.value, rate=rate, code=code)

    def recognises(self, advertisement: Advertisement) -> bool:
        """Whether a device that advertises this is one of these."""
        return self.table.recognise.fits(advertisement)

    def decoder(self) -> TableDecoder:
        """A decoder for one connection."""
        return TableDecoder(self)


def _check(table: Table, layouts: dict[str, Layout]) -> None:
    """Find what would fail, or surprise, only once a device is there."""
    written = [command.write for command in (*table.start, *table.stop)]
    for text in (*table.recognise.services, *written, *(s.characteristic for s in table.stream.values())):
        uuid(text)
    seen: set[str] = set()
    for name, stream in table.stream.items():
        channels = layouts[name].channels
        for channel in channels:
            if channel not in _KNOWN:
                raise ValueError(f"stream {name} has a channel {channel!r}; known: {', '.join(_KNOWN)}")
            if channel in seen:
                raise ValueError(f"stream {name} has {channel!r}, as another stream has")
            if channel[:3] not in stream.scales:
                raise ValueError(f"stream {name} says no scale for {channel[:3]!r}")
        seen.update(channels)
        origins = [stream.mount.get(channel, channel).lstrip("-") for channel in channels]
        turned = all(origin[:3] == channel[:3] for origin, channel in zip(origins, channels, strict=True))
        if not turned or sorted(origins) != sorted(channels) or not set(stream.mount) <= set(channels):
            raise ValueError(f"the mount of stream {name} does not give each axis of a sensor once")


class _Reader(NamedTuple):
    """How one kind of packet is read.

    Attributes:
        name: Of its stream.
        layout: What it holds.
        choose: Picks the wanted channels of a sample, in their order.
        worth: What one count of each of them is worth.
    """

    name: str
    layout: Layout
    choose: Callable[[Any], Any]
    worth: tuple[float, ...]


class TableDecoder:
    """Decoder of a device that a table describes; see `Decoder`."""

    def __init__(self, profile: TableProfile) -> None:
        self._profile = profile
        self._rate = 1.0
        self._channels: dict[str, tuple[str, ...]] = {}
        self._readers: dict[str, list[_Reader]] = {}  # by characteristic

    async def start(self, device: Device, wishes: Wishes) -> tuple[Stream, ...]:
        """Learn the ranges, subscribe, and write what gets the device going."""
        table, rates = self._profile.table, self._profile.rates
        default = next(iter(table.stream.values())).rate
        self._rate = nearest(wishes.rate or default, list(rates)) if rates else default
        for name, layout in self._profile.layouts.items():
            kept = tuple(c for c in layout.channels if wishes.gyroscope or c in ACCELEROMETER)
            if kept:
                self._channels[name] = kept
        if not self._channels:
            raise SourceError("it has no accelerometer; leave out gyroscope=0")
        for name in self._channels:
            reader = await self._prepare(device, name, table.stream[name])
            self._readers.setdefault(uuid(table.stream[name].characteristic), []).append(reader)
        for characteristic in self._readers:
            await device.subscribe(characteristic)
        await self._write(device, table.start)
        return tuple(self._describe(name, table.stream[name]) for name in self._channels)

    def decode(self, characteristic: str, value: bytes) -> list[Packet]:
        """Understand a packet: by the layout that fits, if a characteristic has several."""
        problem: PacketError | None = None
        for reader in self._readers.get(characteristic, ()):
            try:
                body = reader.layout.decode(value)
            except PacketError as error:
                problem = error
                continue
            numbers = chain.from_iterable(map(reader.choose, body.samples))
            return [Packet(reader.name, scaled(numbers, reader.worth), body.sequence, body.ticks)]
        if problem is not None:
            raise problem
        return []

    async def stop(self, device: Device) -> None:
        """Write what has the device stop."""
        await self._write(device, self._profile.table.stop)

    async def _write(self, device: Device, commands: tuple[Command, ...]) -> None:
        code = self._profile.rates.get(self._rate)
        for command in commands:
            value = fill(command.value, rate=self._rate, code=code)
            await device.write(uuid(command.write), value, response=command.response)
            await asyncio.sleep(command.pause_s)

    async def _prepare(self, device: Device, name: str, stream: StreamTable) -> _Reader:
        """Learn what the counts of a stream are worth, and where its axes point."""
        worth = {sensor: await _worth(device, scale) for sensor, scale in stream.scales.items()}
        layout, kept = self._profile.layouts[name], self._channels[name]
        origins = [stream.mount.get(channel, channel) for channel in kept]
        signs = [-1.0 if origin.startswith("-") else 1.0 for origin in origins]
        at = [layout.channels.index(origin.lstrip("-")) for origin in origins]
        # One index alone would give a number, and a slice gives a tuple.
        choose = itemgetter(*at) if len(at) > 1 else itemgetter(slice(at[0], at[0] + 1))
        return _Reader(
            name, layout, choose, tuple(s * worth[c[:3]] for s, c in zip(signs, kept, strict=True))
        )

    def _describe(self, name: str, stream: StreamTable) -> Stream:
        layout = self._profile.layouts[name]
        return Stream(
            name=name,
            channels=self._channels[name],
            rate=self._rate if self._profile.rates else stream.rate,
            sequence_bits=layout.sequence_bits,
            sequence_counts=stream.sequence_counts,
            tick_bits=layout.tick_bits,
            ticks_per_second=stream.ticks_per_second,
            stamps=stream.stamps,
        )


def read_profile(path: Path) -> TableProfile:
    """Read a profile file.

    Raises:
        SourceError: If it cannot be read, or a key is missing, unknown or makes no sense; the message says
            which.
    """
    try:
        return TableProfile(from_json(Table, tomllib.loads(path.read_text(encoding="utf-8"))))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, StrictError, ValueError) as error:
        raise SourceError(f"{path} is no device profile: {error}") from error


async def _worth(device: Device, scale: Scale) -> float:
    """One count in SI units."""
    per_unit = scale.per_unit
    if scale.choice is not None:
        told = await device.read(uuid(scale.choice.read))
        if len(told) <= scale.choice.byte:
            raise SourceError(f"the device tells its range in {len(told)} bytes; is it another model?")
        code = told[scale.choice.byte] >> scale.choice.shift & scale.choice.mask
        if code >= len(scale.choice.per_unit):
            raise SourceError(f"the device tells an unknown range, {code}; is its firmware another one?")
        per_unit = scale.choice.per_unit[code]
    return UNITS[scale.unit] / per_unit

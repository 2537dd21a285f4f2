"""A device that a profile understands, for as long as it takes."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any, Final, Protocol, Self

from img2imu_bridge.profiles import Decoder, Device, Notification, PacketError, Profile, Stream, Wishes
from img2imu_bridge.supervisor import LinkPolicy
from img2imu_bridge.timeline import Timeline
from img2imu_bridge.transport import LinkLostError
from img2imu_edge.errors import SourceError
from img2imu_edge.samples import SampleBlock
from img2imu_edge.source import LinkStats, StreamInfo

SILENCE_S: Final = 10.0
"""Seconds without a packet until a device that cannot be asked is taken for lost."""

RATE_TOLERANCE: Final = 0.1
"""How far a rate may be off the one before a reconnect, as a share, and be the same."""

_FIRST_PAUSE: Final = 0.25
_LONGEST_PAUSE: Final = 30.0
_GOODBYE_S: Final = 2.0


class ConnectedDevice(Device, Protocol):
    """A device with the life of its connection: opened once, closed however it ended."""

    @property
    def name(self) -> str:
        """Its name, once it was opened."""
        ...

    async def open(self) -> None:
        """Connect; raises `ConnectError`."""
        ...

    async def hear(self) -> Notification:
        """Wait for what it says next; raises `LinkLostError`."""
        ...

    def hear_more(self) -> Sequence[Notification]:
        """What else it has said already."""
        ...

    async def close(self) -> None:
        """Release everything."""
        ...


class ProfileSource:
    """A device that does not speak our wire protocol; see `Source`.

    Args:
        url: What the user wrote, for messages.
        make_device: Returns a device, not yet opened, that keeps the given counters current.
        profile: What understands it.
        wishes: What the user asked for.
        policy: How patient to be.
    """

    def __init__(
        self,
        url: str,
        make_device: Callable[[LinkStats], ConnectedDevice],
        profile: Profile,
        wishes: Wishes,
        policy: LinkPolicy | None = None,
    ) -> None:
        self.url, self.stats = url, LinkStats()
        self._make_device, self._profile, self._wishes = make_device, profile, wishes
        self._policy = policy or LinkPolicy()
        self._device: ConnectedDevice | None = None
        self._decoder: Decoder | None = None
        self._streams: tuple[Stream, ...] = ()
        self._timeline: Timeline | None = None
        self._name = ""

    @property
    def info(self) -> StreamInfo:
        """What the device delivers."""
        timeline = self._entered
        return StreamInfo(self._name, timeline.channels, self._streams[0].rate)

    @property
    def _entered(self) -> Timeline:
        if self._timeline is None:
            raise SourceError(f"{self.url} was never connected; use `async with source`")
        return self._timeline

    def link_facts(self) -> dict[str, str]:
        """What is known of the link, for people."""
        facts: dict[str, str] = getattr(self._device, "facts", dict)()
        loss = {"loss": self._timeline.accounting} if self._timeline else {}
        return {"profile": f"{self._profile.title} ({self._profile.checked})", **facts, **loss}

    async def __aenter__(self) -> Self:
        for attempt in range(self._policy.tries):
            try:
                self._streams = await self._connect()
                break
            except SourceError as error:
                if attempt + 1 == self._policy.tries:
                    raise SourceError(f"cannot connect to {self.url}: {error}") from error
                await asyncio.sleep(getattr(error, "pause", 0.0))
        self._timeline = Timeline(self._streams, self.stats)
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        try:
            if self._device is not None and self._decoder is not None:
                with contextlib.suppress(SourceError, TimeoutError):  # whoever is gone need not stop
                    await asyncio.wait_for(self._decoder.stop(self._device), _GOODBYE_S)
        finally:
            await self._disconnect()

    async def __aiter__(self) -> AsyncIterator[SampleBlock]:
        timeline = self._entered
        while True:
            try:
                blocks = await self._hear(timeline)
            except LinkLostError as error:
                await self._reconnect(error)
                blocks = timeline.reset()
            for block in blocks:
                yield block

    async def _hear(self, timeline: Timeline) -> list[SampleBlock]:
        device, decoder = self._device, self._decoder
        if device is None or decoder is None:
            raise SourceError(f"{self.url} is closed; open a new source to connect again")
        patience = max(SILENCE_S, self._policy.silence)
        blocks: list[SampleBlock] = []
        heard = understood = False
        try:
            async with asyncio.timeout(patience):
                while not understood:  # parts of packets, and noise, are nothing said
                    first = await device.hear()
                    heard = True
                    for said in (first, *device.hear_more()):
                        try:
                            packets = decoder.decode(said.characteristic, said.value)
                        except PacketError:
                            self.stats.corrupt += 1
                            continue
                        understood = understood or any(len(packet.values) for packet in packets)
                        blocks += timeline.push(packets, said.received)
        except TimeoutError:
            what = "nothing that can be understood" if heard else "nothing"
            raise LinkLostError(f"it said {what} for {patience:g} s") from None
        return blocks

    async def _connect(self) -> tuple[Stream, ...]:
        """Open a new device and get it going; leaves nothing open if that fails."""
        device, decoder = self._make_device(self.stats), self._profile.decoder()
        try:
            await device.open()
            streams = await decoder.start(device, self._wishes)
            self._name = device.name
        except BaseException as error:
            forget = getattr(device, "forget_cache", None) if _is_stale(error) else None
            if forget is not None:
                await forget()
            await device.close()
            raise
        self._device, self._decoder = device, decoder
        return streams

    async def _disconnect(self) -> None:
        device, self._device, self._decoder = self._device, None, None
        if device is not None:
            await device.close()

    async def _reconnect(self, cause: LinkLostError) -> None:
        """Close what is dead, then look for the device until it is found."""
        await self._disconnect()
        if self.stats.reconnects >= self._policy.reconnect:
            raise SourceError(f"lost {self.url}: {cause}") from cause
        begin, pause = time.monotonic(), _FIRST_PAUSE
        while True:
            # With jitter, so that many sources of one hub do not try in step. Not a secret.
            await asyncio.sleep(pause * random.uniform(0.7, 1))  # noqa: S311
            try:
                streams = await self._connect()
            except SourceError as error:
                pause = max(min(2 * pause, _LONGEST_PAUSE), getattr(error, "pause", 0.0))
                if time.monotonic() - begin < self._policy.retry_for:
                    continue
                raise SourceError(
                    f"lost {self.url}: {cause}. Gave up after {self._policy.retry_for:g} s: {error}"
                ) from error
            if not _alike(streams, self._streams):
                await self._disconnect()
                raise SourceError(f"{self.url} delivers other channels or another rate now; connect anew")
            self.stats.reconnects += 1
            text = f"the connection was lost and made again: {cause}"
            if text not in self.stats.warnings:
                self.stats.warnings.append(text)
            return


def _alike(one: Sequence[Stream], other: Sequence[Stream]) -> bool:
    """Whether streams are the same, but for rates that were measured."""
    if len(one) != len(other):
        return False
    return all(
        replace(a, rate=b.rate) == b and abs(a.rate - b.rate) <= RATE_TOLERANCE * b.rate
        for a, b in zip(one, other, strict=True)
    )


def _is_stale(error: Any) -> bool:
    return bool(getattr(error, "stale", False))

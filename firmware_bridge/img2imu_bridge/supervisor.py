"""WireSource: a device that speaks the wire protocol, kept connected for as long as it exists."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Self

from img2imu_bridge.transport import Arrival, LinkLostError, Transport
from img2imu_bridge.wire.messages import (
    Control,
    Data,
    Info,
    InfoAssembler,
    InfoPart,
    MessageError,
    Request,
    decode,
    encode_control,
)
from img2imu_bridge.wire.stream import StreamDecoder
from img2imu_edge.errors import SourceError
from img2imu_edge.samples import SampleBlock
from img2imu_edge.source import LinkStats, StreamInfo

ANSWER_S = 0.5
"""How long to wait for an answer before asking again."""

ATTEMPTS = 6
"""How often to ask a device that does not answer."""

SILENCE_S = 2.0
"""After this long without a message, a device that should stream is asked whether it is still there."""

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 5.0
"""Back-off between attempts to reconnect; it doubles from the first to the longest."""


class WireSource:
    """A source on any transport.

    The first connection fails at once with a clear error; a connection that is lost later is made again, with
    growing pauses, until the device is back. What was lost meanwhile is counted exactly and shows as a gap.

    Args:
        url: The source's URL, for people.
        connect: Makes a fresh transport that keeps the given counters.
        retry_for: Seconds to try to reconnect before giving up; infinity to try for ever.
    """

    def __init__(
        self, url: str, connect: Callable[[LinkStats], Transport], retry_for: float = float("inf")
    ) -> None:
        self.url = url
        self.stats = LinkStats()
        self._connect, self._retry_for = connect, retry_for
        self._transport: Transport | None = None
        self._decoder: StreamDecoder | None = None
        self._device: Info | None = None
        self._assembler = InfoAssembler()
        self._request = 0
        self._started = False

    @property
    def info(self) -> StreamInfo:
        """What the device said about itself."""
        if self._device is None:
            raise SourceError(f"{self.url} is not connected yet; use it with: async with source")
        return StreamInfo(self._device.name, self._device.channels, self._device.rate)

    async def __aenter__(self) -> Self:
        try:
            self._device, _ = await self._open()
        except BaseException:
            await self._close()
            raise
        self._decoder = StreamDecoder(self._device, self.stats)
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        if self._transport is not None:
            with contextlib.suppress(LinkLostError):
                await self._ask(Request.STOP)
        await self._close()

    async def __aiter__(self) -> AsyncIterator[SampleBlock]:
        if self._decoder is None or self._transport is None:
            raise SourceError(f"{self.url} is not connected; use it with: async with source")
        ended = False
        while not ended:
            try:
                blocks, ended = self._take(await self._next())
            except LinkLostError as lost:
                for block in self._decoder.flush():
                    yield block
                blocks = await self._reconnect(lost)
            for block in blocks:
                yield block

    async def _open(self) -> tuple[Info, list[Arrival]]:
        """Connect and learn what the device is; also what else arrived meanwhile."""
        await self._close()
        self._assembler, self._started = InfoAssembler(), False
        self._transport = self._connect(self.stats)
        await self._transport.open()
        early: list[Arrival] = []
        for _ in range(ATTEMPTS):
            await self._ask(Request.GET_INFO)
            deadline = time.monotonic() + ANSWER_S
            while (left := deadline - time.monotonic()) > 0:
                try:
                    arrival = await asyncio.wait_for(self._transport.read(), left)
                except TimeoutError:
                    break
                early.append(arrival)
                for message in arrival.messages:
                    if (info := self._assemble(message)) is not None:
                        return info, early
        raise SourceError(self._transport.describe_failure())

    async def _close(self) -> None:
        transport, self._transport = self._transport, None
        if transport is not None:
            await transport.close()

    async def _ask(self, kind: Request) -> None:
        self._request = (self._request + 1) % 256
        if self._transport is not None:
            await self._transport.write(encode_control(Control(kind, self._request)))

    async def _next(self) -> Arrival:
        """The next arrival; a silent device is asked to start again, and given up if it stays silent."""
        assert self._transport is not None and self._device is not None  # noqa: S101, PT018 - entered
        patience = max(SILENCE_S, 20 / self._device.rate)
        if not self._started:
            await self._ask(Request.START)
            self._started = True
        for _ in range(2):
            with contextlib.suppress(TimeoutError):
                return await asyncio.wait_for(self._transport.read(), patience)
            await self._ask(Request.START)  # the first one may have been lost
        raise LinkLostError(f"{self.url} has been silent for {2 * patience:.0f} s")

    def _take(self, arrival: Arrival) -> tuple[list[SampleBlock], bool]:
        """Decode an arrival: its blocks, and whether the device said that its stream has ended."""
        assert self._decoder is not None  # noqa: S101 - entered
        blocks: list[SampleBlock] = []
        data: list[Data] = []
        for message in arrival.messages:
            try:
                decoded = decode(message)
            except MessageError:
                self.stats.corrupt += 1
                continue
            if isinstance(decoded, Data):
                data.append(decoded)
            elif isinstance(decoded, InfoPart) and (info := self._assemble(message)) is not None:
                blocks += self._decoder.push_many(data, arrival.received)
                data.clear()
                if not info.streaming and self.stats.messages:
                    return blocks + self._decoder.finish(info), True
        return blocks + self._decoder.push_many(data, arrival.received), False

    async def _reconnect(self, lost: LinkLostError) -> list[SampleBlock]:
        """Come back, however long it takes; returns the blocks that arrived with the device's answer."""
        assert self._decoder is not None  # noqa: S101 - entered
        give_up = time.monotonic() + self._retry_for
        pause = FIRST_PAUSE_S
        while True:
            try:
                self._device, early = await self._open()
                break
            except SourceError as error:
                await self._close()
                if time.monotonic() + pause > give_up:
                    raise SourceError(f"{lost}; gave up reconnecting: {error}") from error
            await asyncio.sleep(pause * random.uniform(0.7, 1.3))  # noqa: S311 - not a secret
            pause = min(2 * pause, LONGEST_PAUSE_S)
        self.stats.reconnects += 1
        blocks = self._decoder.resync(self._device)
        for arrival in early:
            fresh, _ = self._take(arrival)
            blocks += fresh
        return blocks

    def _assemble(self, message: bytes) -> Info | None:
        try:
            part = decode(message)
            return self._assembler.push(part) if isinstance(part, InfoPart) else None
        except MessageError:
            return None

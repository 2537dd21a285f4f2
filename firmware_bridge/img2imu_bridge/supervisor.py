"""WireSource: samples from one device over whatever carries its messages, for as long as it takes."""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from img2imu_bridge.link import Heard, Link
from img2imu_bridge.reception import Reception
from img2imu_bridge.transport import ConnectError, LinkLostError, Transport
from img2imu_bridge.wire.messages import Info, Request
from img2imu_edge.errors import SourceError
from img2imu_edge.samples import SampleBlock
from img2imu_edge.source import LinkStats, StreamInfo

_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 5.0
_MOST_DOUBLINGS: Final = 10
_GOODBYE_SECONDS: Final = 0.5
_SILENT_MESSAGES: Final = 20


@dataclass(frozen=True, slots=True)
class LinkPolicy:
    """How patient a source is.

    Attributes:
        timeout: Seconds that a device has to answer once its port is open; some boards boot first.
        reconnect: How often a lost device is looked for, over the whole stream.
        retry_for: Seconds to look for it each time.
        silence: Seconds without data, or 20 messages' time if that is more, until the device is asked whether
            it is there; and seconds that it then has to answer.
        tries: How often to try at first, where a failure may pass: radio links break while they are made.
    """

    timeout: float = 5.0
    reconnect: float = math.inf
    retry_for: float = math.inf
    silence: float = 2.0
    tries: int = 1

    def __post_init__(self) -> None:
        if not (self.timeout > 0 and self.reconnect >= 0 and self.retry_for >= 0 and self.silence > 0):
            raise ValueError("timeout and silence must be positive, reconnect and retry_for not negative")
        if self.tries < 1:
            raise ValueError("tries must be at least 1")


class WireSource:
    """A device that speaks our wire protocol; see `Source`.

    The stream ends when the device says, unasked, that it stopped sampling. A device that is lost is looked
    for again; what it sampled meanwhile is known exactly from its own sample numbers.
    """

    def __init__(
        self,
        url: str,
        make_transport: Callable[[LinkStats], Transport],
        policy: LinkPolicy | None = None,
        rate: float = 0.0,
    ) -> None:
        """Connect to nothing yet.

        Args:
            url: What the user wrote, for messages.
            make_transport: Returns a new transport that keeps the given counters current.
            policy: How patient to be.
            rate: Sampling rate in Hz to ask for; 0 for the device's own.
        """
        self.url = url
        self._rate = rate
        self.stats = LinkStats()
        self._make_transport = make_transport
        self._policy = policy or LinkPolicy()
        self._link: Link | None = None
        self._reception: Reception | None = None
        self._failures = 0  # since data came last

    @property
    def info(self) -> StreamInfo:
        """What the device says it is."""
        info = self._entered.info
        return StreamInfo(info.name, info.channels, info.rate)

    @property
    def _entered(self) -> Reception:
        if self._reception is None:
            raise SourceError(f"{self.url} was never connected; use `async with source`")
        return self._reception

    async def __aenter__(self) -> Self:
        for attempt in range(self._policy.tries):
            try:
                info = await self._connect()
                break
            except SourceError as error:
                if attempt + 1 == self._policy.tries or not isinstance(error, ConnectError | LinkLostError):
                    raise SourceError(f"cannot connect to {self.url}: {error}") from error
                await asyncio.sleep(getattr(error, "pause", _FIRST_PAUSE))
        self._reception = Reception(info, self.stats)
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        try:
            if self._link is not None:
                with contextlib.suppress(SourceError):  # whoever is gone need not stop
                    await self._link.request(Request.STOP, _GOODBYE_SECONDS)
        finally:
            await self._disconnect()

    async def __aiter__(self) -> AsyncIterator[SampleBlock]:
        reception = self._entered
        while not reception.ended:
            try:
                blocks = reception.take(await self._hear(reception))
                if reception.restarted:
                    reception.restarted = False
                    await self._restart()
            except LinkLostError as error:
                blocks = reception.resume(await self._reconnect(reception, error))
            for block in blocks:
                yield block

    async def _hear(self, reception: Reception) -> Heard:
        """Wait for the device; when it says nothing for long, ask after it."""
        while True:
            patience = max(self._policy.silence, _SILENT_MESSAGES * reception.message_seconds)
            try:
                async with asyncio.timeout(patience):
                    heard = await self._talk().hear()
            except TimeoutError:
                info = await self._talk().describe(self._policy.silence)
                if info is None:
                    raise LinkLostError(f"it said nothing for {patience:g} s and does not answer") from None
                if info.boot_id != reception.info.boot_id:
                    return Heard([info], time.monotonic())
                # It lives. START gets it going if it stopped, and changes nothing otherwise; a device that
                # has no more to send answers with its last word.
                await self._restart()
            else:
                self._failures = 0
                return heard

    def _talk(self) -> Link:
        if self._link is None:
            raise SourceError(f"{self.url} is closed; open a new source to connect again")
        return self._link

    async def _restart(self) -> None:
        if not await self._start(self._talk(), self._policy.silence):
            raise LinkLostError("it answers, but does not confirm START")

    async def _start(self, link: Link, patience: float) -> bool:
        try:
            return await link.request(Request.START, patience)
        except LinkLostError:
            return True  # for now: data may have come before the link broke, and `hear` breaks after them

    async def _connect(self) -> Info:
        """Open a new transport and get the device going; leaves nothing open if that fails."""
        transport = self._make_transport(self.stats)
        link = Link(transport)
        try:
            await transport.open()
            info = await link.describe(self._policy.timeout)
            if info is not None and self._rate and info.rate != self._rate:
                await link.request(Request.SET_RATE, self._policy.timeout, self._rate)
                info = await link.describe(self._policy.timeout)
            started = info is not None and await self._start(link, self._policy.timeout)
        except BaseException:
            await transport.close()
            raise
        if info is None or not started:
            await transport.close()
            what = "INFO" if info is None else "answer to START"
            raise SourceError(f"no {what} within {self._policy.timeout:g} s. {link.describe_failure()}")
        self._link = link
        return info

    async def _disconnect(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            await link.transport.close()

    async def _reconnect(self, reception: Reception, cause: LinkLostError) -> Info:
        """Close what is dead, then look for the device until it is found."""
        await self._disconnect()
        if self.stats.reconnects >= self._policy.reconnect:
            raise SourceError(f"lost {self.url}: {cause}") from cause
        begin = time.monotonic()
        least = 0.0
        while True:
            # With jitter, so that many sources of one hub do not try in step. Not a secret.
            pause = max(least, min(_FIRST_PAUSE * 2.0**self._failures, _LONGEST_PAUSE))
            self._failures = min(self._failures + 1, _MOST_DOUBLINGS)
            await asyncio.sleep(pause * random.uniform(0.7, 1))  # noqa: S311
            try:
                info = await self._connect()
            except SourceError as error:
                least = getattr(error, "pause", 0.0)
                if time.monotonic() - begin < self._policy.retry_for:
                    continue
                raise SourceError(
                    f"lost {self.url}: {cause}. Gave up after {self._policy.retry_for:g} s: {error}"
                ) from error
            self.stats.reconnects += 1
            reception.warn(f"the connection was lost and made again: {cause}")
            return info

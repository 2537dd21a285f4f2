"""`sensorlogger:?host=0.0.0.0&token=…`: a phone or its watch, through the app Sensor Logger."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self
from urllib.parse import SplitResult

from img2imu_bridge.options import path_of
from img2imu_bridge.sensorlogger.inbox import BusyError, Inbox
from img2imu_bridge.sensorlogger.messages import WRIST, Message, MessageError, Reading, read_message
from img2imu_bridge.sensorlogger.motion import Frames, Motion, Worn
from img2imu_bridge.sensorlogger.order import Order
from img2imu_bridge.timeline import Timeline
from img2imu_edge.errors import SourceError
from img2imu_edge.interfaces import is_loopback, own_address
from img2imu_edge.options import options_of
from img2imu_edge.samples import SampleBlock
from img2imu_edge.source import LinkStats, StreamInfo

_LEAST_TOKEN: Final = 8
_MOST_MESSAGES: Final = 64
_MOST_READINGS: Final = 100_000
_LEARNING: Final = 2_000


@dataclass(frozen=True, slots=True)
class SensorLoggerOptions:
    """Options of `sensorlogger:`.

    Attributes:
        host: Address to listen on; 0.0.0.0 for all of this computer's, which needs a token.
        port: Port.
        token: What the app must show, as its token or as `?token=` in its URL.
        worn: Whose motion it is: watch, phone, or auto for the watch's if there is one.
        frames: Which way axes count: android, ios, or auto. With the app's setting "Standardise Units &
            Frames" it is android on all phones and watches.
        timeout: Seconds to wait for the first push.
    """

    host: str = "127.0.0.1"
    port: int = 8765
    token: str = ""
    worn: Worn = Worn.AUTO
    frames: Frames = Frames.AUTO
    timeout: float = 300.0

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise ValueError("port must be from 0 to 65535")
        if self.token and len(self.token) < _LEAST_TOKEN:
            raise ValueError(f"a token needs {_LEAST_TOKEN} letters or more")
        if not self.timeout > 0:
            raise ValueError("timeout must be positive")


def open_sensorlogger(url: SplitResult) -> SensorLoggerSource:
    """The source behind a `sensorlogger:` URL."""
    if path_of(url):
        raise SourceError("sensorlogger: takes options only, such as sensorlogger:?host=0.0.0.0&token=…")
    return SensorLoggerSource("sensorlogger:", options_of(url, SensorLoggerOptions, SourceError))


class SensorLoggerSource:
    """Takes what one phone pushes; see `Source`. It ends when its user stops it.

    Args:
        url: The source's name, for people; without the token.
        options: Where to listen, and to what.

    Raises:
        SourceError: If others than this computer could push without a token.
    """

    def __init__(self, url: str, options: SensorLoggerOptions) -> None:
        self.url, self.stats = url, LinkStats()
        self._options = options
        self._inbox = Inbox(options.host, options.port, options.token, self._take)
        self._queue: asyncio.Queue[tuple[Message, float]] = asyncio.Queue(_MOST_MESSAGES)
        self._waiting = 0  # readings in the queue
        self._order = Order(self.stats)
        self._motion = Motion(options.worn, options.frames)
        self._timeline: Timeline | None = None
        self._device: str | None = None
        self._session = ""
        self._early: list[SampleBlock] = []

    @property
    def hint(self) -> str:
        """What to do in the app."""
        host = self._options.host
        address = f"[{host}]" if ":" in host else host if is_loopback(host) else own_address()
        token = ", its token" if self._options.token else ""
        return (
            f"In Sensor Logger, push by HTTP to http://{address}:{self.port}/{token}, and start its recording"
        )

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._inbox.port

    @property
    def info(self) -> StreamInfo:
        """What the phone delivers."""
        if self._timeline is None:
            raise SourceError("sensorlogger: has no phone yet; use `async with source`")
        first = self._motion.streams[0]
        whose = Worn.WATCH if first.name == WRIST else Worn.PHONE
        return StreamInfo(f"Sensor Logger, {whose}", self._motion.channels, first.rate)

    async def __aenter__(self) -> Self:
        await self._inbox.open()
        try:
            async with asyncio.timeout(self._options.timeout):
                self._early = await self._begin()
        except TimeoutError:
            await self._inbox.close()
            came = "no motion came" if self._device is not None else "nothing came"
            raise SourceError(
                f"{came} within {self._options.timeout:g} s. {self.hint}. Are phone and computer in the same "
                "network, and Wrist Motion, or Accelerometer and Gravity, switched on?"
            ) from None
        except BaseException:
            await self._inbox.close()
            raise
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self._inbox.close()

    async def __aiter__(self) -> AsyncIterator[SampleBlock]:
        early, self._early = self._early, []
        for block in early:
            yield block
        while True:
            for message, received in await self._next():
                for block in self._samples(message, received):
                    yield block

    async def _begin(self) -> list[SampleBlock]:
        """Wait until it is known what comes; return what came meanwhile."""
        messages: list[tuple[Message, float]] = []
        readings: list[Reading] = []
        while not self._motion.learn(readings):
            more = await self._next()
            messages += more
            readings += [reading for message, _ in more for reading in message.readings]
            if len(readings) > _LEARNING:
                messages, readings = messages[-1:], list(messages[-1][0].readings[-_LEARNING // 2 :])
        if self._motion.warning:
            self.stats.warnings.append(self._motion.warning)
        self._timeline = Timeline(self._motion.streams, self.stats)
        return [block for message, received in messages for block in self._samples(message, received)]

    def _samples(self, message: Message, received: float) -> list[SampleBlock]:
        timeline = self._timeline
        if timeline is None:
            return []
        blocks = timeline.reset() if self._session and message.session != self._session else []
        self._session = message.session
        blocks += timeline.push(self._motion.packets(message.readings), received)
        return [self._motion.finish(block) for block in blocks]

    async def _next(self) -> list[tuple[Message, float]]:
        """Wait for the messages that are next."""
        while True:
            now = time.monotonic()
            patience = self._order.deadline - now
            try:
                async with asyncio.timeout(None if math.isinf(patience) else max(patience, 0)):
                    message, received = await self._queue.get()
            except TimeoutError:
                now = time.monotonic()
                ready = self._order.due(now)
            else:
                now = received
                self._waiting -= len(message.readings)
                ready = self._order.push(message, received)
            if ready:
                return [(message, now) for message in ready]

    def _take(self, body: bytes) -> None:
        """What the inbox does with a push."""
        self.stats.bytes_received += len(body)
        try:
            message = read_message(body)
        except MessageError:
            self.stats.corrupt += 1
            raise
        if message is None:
            return
        if self._device is None:
            self._device = message.device
        elif message.device != self._device:
            raise MessageError("another phone pushes here already; give each a source and a port of its own")
        if self._queue.full() or self._waiting + len(message.readings) > _MOST_READINGS:
            raise BusyError("what came before is not worked off yet; try again")
        self.stats.corrupt += message.malformed
        self._waiting += len(message.readings)
        self._queue.put_nowait((message, time.monotonic()))

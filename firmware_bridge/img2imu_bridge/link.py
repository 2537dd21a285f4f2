"""Link: a conversation with one device over one transport."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple, TypeVar

from img2imu_bridge.transport import Transport
from img2imu_bridge.wire.messages import (
    Control,
    Data,
    Info,
    InfoAssembler,
    InfoPart,
    MessageError,
    Request,
    Status,
    StatusCode,
    VersionError,
    decode,
    encode_control,
)
from img2imu_edge.errors import SourceError

RETRY_SECONDS: Final = 0.5
"""How long an answer may take before the request is sent again; answers and requests can get lost."""

Item = Data | Info | Status
T = TypeVar("T")


class Heard(NamedTuple):
    """What a device said, in order, and `time.monotonic()` when its last byte arrived."""

    items: list[Item]
    received: float


class Link:
    """Asks, waits for the answer, and keeps what else the device says meanwhile.

    Attributes:
        transport: What carries it; the link neither opens nor closes it.
    """

    def __init__(self, transport: Transport) -> None:
        """Take a transport that is open, or is opened before the link is used."""
        self.transport = transport
        self._assembler = InfoAssembler()
        self._backlog: deque[Heard] = deque()
        self._last_id = 0
        self._foreign = ""

    async def hear(self) -> Heard:
        """Wait for what the device says next; cancelling loses nothing.

        Raises:
            LinkLostError: If the connection is gone.
        """
        if self._backlog:
            return self._backlog.popleft()
        return await self._listen()

    async def describe(self, patience: float) -> Info | None:
        """Ask the device what it is.

        Args:
            patience: Seconds to keep asking.

        Returns:
            Its INFO, or None if none came.
        """
        return await self._ask(Request.GET_INFO, None, patience, _as_info)

    async def request(self, kind: Request, patience: float, rate: float | None = None) -> bool:
        """Have the device do something.

        Args:
            kind: START, STOP or SET_RATE; asking twice does no harm.
            patience: Seconds to keep asking.
            rate: In Hz, for SET_RATE.

        Returns:
            Whether it said that it did.

        Raises:
            SourceError: If it refuses.
        """
        code = await self._ask(kind, rate, patience, lambda item: _as_code(item, kind))
        if code not in (None, StatusCode.OK):
            known = code in StatusCode.__members__.values()
            reason = StatusCode(code).name if known else f"code {code}"
            raise SourceError(f"the device refuses {kind.name}: {reason}")
        return code == StatusCode.OK

    def describe_failure(self) -> str:
        """Say why the device may not have answered, from what came so far."""
        if self._foreign:
            return f"It answers, but {self._foreign}. Update its firmware, or this package."
        return self.transport.describe_failure()

    async def _ask(
        self, kind: Request, rate: float | None, patience: float, read: Callable[[Item], T | None]
    ) -> T | None:
        earlier, self._backlog = self._backlog, deque()
        for heard in earlier:
            self._keep(heard.items, heard.received, data_only=True)
        loop = asyncio.get_running_loop()
        end = loop.time() + patience
        self._last_id = (self._last_id + 1) % 256
        message = encode_control(Control(kind, self._last_id, rate))
        while (now := loop.time()) < end:
            await self.transport.write(message)
            try:
                async with asyncio.timeout(min(RETRY_SECONDS, end - now)):
                    answer = await self._await_answer(read)
            except TimeoutError:
                continue
            return answer
        return None

    async def _await_answer(self, read: Callable[[Item], T | None]) -> T:
        while True:
            heard = await self._listen()
            for position, item in enumerate(heard.items):
                answer = read(item)
                if answer is not None:
                    self._keep(heard.items[:position], heard.received, data_only=True)
                    self._keep(heard.items[position + 1 :], heard.received, data_only=False)
                    return answer
            self._keep(heard.items, heard.received, data_only=True)

    def _keep(self, items: list[Item], received: float, *, data_only: bool) -> None:
        # An INFO from before the answer is old news, such as the second answer to a question asked twice.
        kept = [item for item in items if isinstance(item, Data) or not data_only]
        if kept:
            self._backlog.append(Heard(kept, received))

    async def _listen(self) -> Heard:
        items: list[Item] = []
        while not items:  # parts of messages, and noise, are nothing said
            messages, received = await self.transport.read()
            for message in messages:
                try:
                    part = decode(message)
                    whole = self._assembler.push(part) if isinstance(part, InfoPart) else part
                except MessageError as error:
                    self.transport.stats.corrupt += 1
                    if isinstance(error, VersionError) and not self._foreign:
                        self._foreign = str(error)
                    continue
                if whole is not None and not isinstance(whole, Control):
                    items.append(whole)
        return Heard(items, received)


def _as_info(item: Item) -> Info | None:
    return item if isinstance(item, Info) else None


def _as_code(item: Item, kind: Request) -> int | None:
    return item.code if isinstance(item, Status) and item.request == kind else None

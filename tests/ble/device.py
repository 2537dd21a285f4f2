"""One remote device as BlueZ sees it: connecting, pairing, and what its link carries."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from tests.ble.gatt import Gatt
from tests.ble.peripheral import BlueZError, Failure, Peripheral
from tests.ble.tree import DEVICE, Tree

_ABORT_SECONDS = 0.01
_AT_ONCE = 16
_LOOK_EVERY = 0.01


class RemoteDevice:
    """What BlueZ knows of a peripheral, from its first advertisement until it is removed."""

    def __init__(
        self,
        path: str,
        adapter: str,
        peripheral: Peripheral,
        tree: Tree,
        drain: Callable[[], Awaitable[None]],
        forget: Callable[[], None],
    ) -> None:
        self.path, self.peripheral = path, peripheral
        self.gatt = Gatt(path, peripheral, tree)
        self.ready = asyncio.Event()
        self._tree, self._drain, self._forget = tree, drain, forget
        self._pending: asyncio.Future[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        name = peripheral.name
        properties: dict[str, Any] = {
            "Address": peripheral.address,
            "AddressType": "random",
            **({"Name": name} if name else {}),
            "Alias": name or peripheral.address.replace(":", "-"),
            "Paired": peripheral.bonded,
            "Bonded": peripheral.bonded,
            "Trusted": False,
            "Blocked": False,
            "LegacyPairing": False,
            "Connected": False,
            "ServicesResolved": False,
            "UUIDs": peripheral.uuids,
            "Adapter": adapter,
            **({"ManufacturerData": peripheral.manufacturer} if peripheral.manufacturer else {}),
            **({"ServiceData": peripheral.service_data} if peripheral.service_data else {}),
        }
        self._properties = properties

    @property
    def connected(self) -> bool:
        """Whether there is a connection."""
        return bool(self._properties["Connected"])

    def show(self, rssi: int | None = None) -> None:
        """Appear among BlueZ's objects."""
        self._tree.add(self.path, DEVICE, self._properties | ({} if rssi is None else {"RSSI": rssi}))
        self._properties = self._tree.objects[self.path][DEVICE]

    def hide(self) -> None:
        """Disappear, connected or not."""
        self.end()
        self.gatt.forget()
        self._tree.remove(self.path)

    # Connecting

    async def connect(self) -> None:
        """Answer Connect."""
        if self._pending is not None:
            raise BlueZError(*Failure.IN_PROGRESS.value)
        if self.connected:
            return
        await self._fail(self.peripheral.connect_failures)
        if not self.peripheral.in_reach:
            await self._hang()
        self._pending = asyncio.get_running_loop().create_future()
        try:
            # Cut short by Disconnect.
            await asyncio.wait([self._pending], timeout=self.peripheral.connect_seconds)
            if self._pending.done():
                raise BlueZError(*Failure.ABORTED.value)
        finally:
            self._pending = None
        self._establish()

    async def disconnect(self) -> None:
        """Answer Disconnect."""
        if self._pending is None and not self.connected:
            raise BlueZError("NotConnected", "Not Connected")
        self.end()

    async def pair(self) -> None:
        """Answer Pair; connects if need be."""
        if self._properties["Paired"]:
            raise BlueZError("AlreadyExists", "Already Exists")
        await self._fail(self.peripheral.pair_failures)
        if not self.connected:
            await self.connect()
        self.peripheral.bonded = True
        self._tree.change(self.path, Paired=True, Bonded=True)

    def end(self) -> None:
        """The connection is gone, whoever ended it."""
        if self._pending is not None and not self._pending.done():
            self._pending.set_result(None)
        for task in self._tasks:
            task.cancel()
        self._tasks.clear()
        if not self.connected:
            return
        self.gatt.end()
        self.peripheral.linked(connected=False)
        self._tree.change(self.path, ServicesResolved=False)
        self._tree.change(self.path, Connected=False)

    async def _fail(self, failures: deque[Failure | BlueZError]) -> None:
        failure = failures.popleft() if failures else None
        if failure is Failure.HANGS:
            await self._hang()
        if failure is Failure.GONE:
            self._forget()
            raise BlueZError("org.freedesktop.DBus.Error.UnknownObject", "the device was removed")
        if failure is Failure.ABORTED:
            self._tree.change(self.path, Connected=True)
            gone = asyncio.get_running_loop().call_later
            gone(_ABORT_SECONDS, lambda: self._tree.change(self.path, Connected=False))
        if isinstance(failure, Failure):
            raise BlueZError(*failure.value)
        if failure is not None:
            raise failure

    async def _hang(self) -> None:
        self._pending = asyncio.get_running_loop().create_future()
        try:
            await self._pending
        finally:
            self._pending = None
        raise BlueZError(*Failure.ABORTED.value)

    def _establish(self) -> None:
        self.peripheral.linked(connected=True)
        self._tree.change(self.path, invalidated=("RSSI", "TxPower"), Connected=True)
        self._spawn(self._resolve())
        self._spawn(self._carry())

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda done: done.cancelled() or done.result())  # the loop hears of errors

    # Services

    async def _resolve(self) -> None:
        await asyncio.sleep(self.peripheral.resolve_seconds)
        self.gatt.resolve()
        self._tree.change(
            self.path,
            UUIDs=sorted({*self.peripheral.uuids, *(s.uuid for s in self.peripheral.services)}),
            ServicesResolved=True,
        )

    def services_changed(self) -> None:
        """The peripheral says that its services are others now."""
        if self.connected and not self.peripheral.stale:
            self._tree.change(self.path, ServicesResolved=False)
            self._spawn(self._resolve())

    async def _carry(self) -> None:
        """Carry what the peripheral queues, at the pace of its connection events."""
        peripheral = self.peripheral
        carried, event = 0, time.monotonic()
        while True:
            while (held := peripheral.held_until - time.monotonic()) > 0:  # noqa: ASYNC110 - may end sooner
                await asyncio.sleep(min(held, _LOOK_EVERY))
            if peripheral.interval and carried >= peripheral.per_interval:
                carried, event = 0, max(event + peripheral.interval, time.monotonic())
            if peripheral.interval and (early := event - time.monotonic()) > 0:
                await asyncio.sleep(early)
            self.ready.clear()
            if (queued := peripheral.take()) is None:
                await self.ready.wait()
                continue
            carried += 1
            self.gatt.hand_over(queued)
            await self._drain()
            if not carried % _AT_ONCE:
                await asyncio.sleep(0)

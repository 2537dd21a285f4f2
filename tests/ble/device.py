"""One remote device as BlueZ sees it: connecting, services, pairing, operations on characteristics."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from tests.ble.peripheral import (
    Att,
    BlueZError,
    Characteristic,
    Descriptor,
    Failure,
    Peripheral,
    as_bluez,
)
from tests.ble.tree import CHARACTERISTIC, DESCRIPTOR, DEVICE, SERVICE, Tree

_FIRST_HANDLE = 0x000A
_LONGEST = 512
_ABORT_SECONDS = 0.01


@dataclass(eq=False)
class Exported:
    """A characteristic that BlueZ shows.

    Attributes:
        characteristic: What it was when the services were resolved.
        listeners: Unique names of the clients that called StartNotify. BlueZ keeps them over a disconnect,
            and signals each value once for each of them.
        acquired: BlueZ's end of the socket that AcquireNotify gave.
        writers: BlueZ's end of the socket that AcquireWrite gave.
    """

    characteristic: Characteristic
    listeners: list[str] = field(default_factory=list)
    acquired: socket.socket | None = None
    writer: socket.socket | None = None


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
        self.heard = 0.0
        self.ready = asyncio.Event()
        self._tree, self._drain, self._forget = tree, drain, forget
        self._exported: dict[str, Exported] = {}
        self._descriptors: dict[str, Descriptor] = {}
        self._cached: tuple[object, ...] = ()
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
        self._exported.clear()
        self._cached = ()
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
        if self._pending is not None and not self._pending.done():
            self._pending.set_result(None)
        elif not self.connected:
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
        for task in self._tasks:
            task.cancel()
        self._tasks.clear()
        if not self.connected:
            return
        for exported in self._exported.values():
            self._release(exported)
            self._subscribe(exported.characteristic, on=False)
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

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # Services

    async def _resolve(self) -> None:
        await asyncio.sleep(self.peripheral.resolve_seconds)
        known = bool(self._cached) and (self.peripheral.stale or self._cached == self.peripheral.services)
        if not known:
            self._export()
        for exported in self._exported.values():
            # BlueZ subscribes again for those that are still there.
            if exported.listeners and self.peripheral.has(exported.characteristic):
                self._subscribe(exported.characteristic, on=True)
        self._tree.change(
            self.path,
            UUIDs=sorted({*self.peripheral.uuids, *(s.uuid for s in self.peripheral.services)}),
            ServicesResolved=True,
        )
        self._spawn(self._carry())

    def services_changed(self) -> None:
        """The peripheral says that its services are others now."""
        if self.connected and not self.peripheral.stale:
            self._tree.change(self.path, ServicesResolved=False)
            self._spawn(self._resolve())

    def _export(self) -> None:
        for path in [p for p in self._tree.objects if p.count("/") == self.path.count("/") + 1]:
            if path.startswith(f"{self.path}/"):
                self._tree.remove(path)
        for exported in self._exported.values():
            self._release(exported)
        self._exported, self._descriptors = {}, {}
        self._cached = self.peripheral.services
        handle = _FIRST_HANDLE
        mtu = {"MTU": self.peripheral.mtu} if self.peripheral.mtu else {}
        for service in self.peripheral.services:
            service_path = f"{self.path}/service{handle:04x}"
            shown: dict[str, Any] = {
                "UUID": service.uuid,
                "Device": self.path,
                "Primary": True,
                "Includes": [],
            }
            self._tree.add(service_path, SERVICE, shown)
            handle += 1
            for characteristic in service.characteristics:
                path = f"{service_path}/char{handle:04x}"
                flags = list(characteristic.flags)
                shown = {"UUID": characteristic.uuid, "Service": service_path, "Flags": flags, **mtu}
                if {"notify", "indicate"} & {*flags}:
                    shown |= {"Notifying": False, "NotifyAcquired": False}
                if "write-without-response" in flags:
                    shown |= {"WriteAcquired": False}
                self._exported[path] = Exported(characteristic)
                self._tree.add(path, CHARACTERISTIC, shown)
                handle += 2
                for descriptor in characteristic.descriptors:
                    below = f"{path}/desc{handle:04x}"
                    self._descriptors[below] = descriptor
                    self._tree.add(below, DESCRIPTOR, {"UUID": descriptor.uuid, "Characteristic": path})
                    handle += 1

    # Operations

    def _reach(self, path: str) -> Exported:
        """The characteristic at a path, if the peripheral would answer for it."""
        exported = self._exported[path]
        if not self.connected:
            raise BlueZError("Failed", "Not connected")
        if exported.characteristic.failures:
            failure = exported.characteristic.failures.popleft()
            raise as_bluez(failure) if isinstance(failure, int) else failure
        if not self.peripheral.has(exported.characteristic):
            raise as_bluez(Att.INVALID_HANDLE)
        if exported.characteristic.secure and not self.peripheral.bonded:
            raise as_bluez(Att.ENCRYPTION)
        return exported

    async def read(self, path: str) -> bytes:
        """Answer ReadValue."""
        if path in self._descriptors:
            return self._descriptors[path].value
        characteristic = self._reach(path).characteristic
        if "read" not in characteristic.flags:
            raise as_bluez(Att.READ_NOT_PERMITTED)
        value = characteristic.on_read() if characteristic.on_read is not None else characteristic.value
        # BlueZ signals what was read as if it had been notified.
        self._tree.change(path, Value=value)
        return value

    async def write(self, path: str, value: bytes, kind: str) -> None:
        """Answer WriteValue; kind is request, command, or empty."""
        if path in self._descriptors:
            self._descriptors[path].value = value
            return
        characteristic = self._reach(path).characteristic
        needed = {"request": {"write"}, "command": {"write-without-response"}}
        if not needed.get(kind, {"write", "write-without-response"}) & {*characteristic.flags}:
            raise as_bluez(Att.NOT_SUPPORTED)
        if kind == "command" and len(value) > self.peripheral.payload:
            raise BlueZError("Failed", "Failed to initiate write")
        if len(value) > _LONGEST:
            raise as_bluez(Att.INVALID_LENGTH)
        characteristic.value = value
        if characteristic.on_write is not None:
            characteristic.on_write(value)

    # Notifications

    async def start_notify(self, path: str, sender: str) -> None:
        """Answer StartNotify."""
        exported = self._exported[path]
        if exported.acquired is not None:
            raise BlueZError("NotPermitted", "Notify acquired")
        if not {"notify", "indicate"} & {*exported.characteristic.flags}:
            raise BlueZError("NotSupported", "Operation is not supported")
        if sender in exported.listeners:
            return
        self._reach(path)
        exported.listeners.append(sender)
        self._subscribe(exported.characteristic, on=True)
        self._tree.change(path, Notifying=True)

    async def stop_notify(self, path: str, sender: str) -> None:
        """Answer StopNotify, or take note that a client is gone."""
        exported = self._exported[path]
        if sender not in exported.listeners:
            raise BlueZError("Failed", "No notify session started")
        exported.listeners.remove(sender)
        if not exported.listeners:
            self._subscribe(exported.characteristic, on=False)
            self._tree.change(path, Notifying=False)

    async def client_gone(self, sender: str) -> None:
        """Forget a client that left the bus; the connection stays, as it does in BlueZ."""
        for path, exported in self._exported.items():
            if sender in exported.listeners:
                await self.stop_notify(path, sender)

    async def acquire(self, path: str, *, write: bool) -> tuple[int, int]:
        """Answer AcquireNotify and AcquireWrite.

        Returns:
            The client's end of a socket, for the caller to close, and the MTU.
        """
        exported = self._reach(path)
        if (exported.writer if write else exported.acquired) is not None:
            raise BlueZError("NotPermitted", f"{'Write' if write else 'Notify'} acquired")
        if exported.listeners and not write:
            raise BlueZError("InProgress", "In Progress")
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        loop = asyncio.get_running_loop()
        if write:
            exported.writer = ours
            loop.add_reader(ours, self._written, path)
            self._tree.change(path, WriteAcquired=True)
        else:
            exported.acquired = ours
            loop.add_reader(ours, self._let_go, path)
            self._subscribe(exported.characteristic, on=True)
            self._tree.change(path, NotifyAcquired=True)
        return theirs.detach(), self.peripheral.mtu or 23

    def _written(self, path: str) -> None:
        exported = self._exported[path]
        with contextlib.suppress(OSError):
            if exported.writer is not None and (value := exported.writer.recv(_LONGEST)):
                if exported.characteristic.on_write is not None:
                    exported.characteristic.on_write(value)
                return
        self._release(exported, notify=False)
        self._tree.change(path, WriteAcquired=False)

    def _let_go(self, path: str) -> None:
        """The client closed its end of the socket."""
        exported = self._exported[path]
        self._release(exported, write=False)
        self._subscribe(exported.characteristic, on=False)
        self._tree.change(path, NotifyAcquired=False)

    def _release(self, exported: Exported, *, notify: bool = True, write: bool = True) -> None:
        loop = asyncio.get_running_loop()
        if notify and exported.acquired is not None:
            loop.remove_reader(exported.acquired)
            exported.acquired.close()
            exported.acquired = None
        if write and exported.writer is not None:
            loop.remove_reader(exported.writer)
            exported.writer.close()
            exported.writer = None

    def _subscribe(self, characteristic: Characteristic, *, on: bool) -> None:
        if characteristic.subscribed != on:
            characteristic.subscribed = on
            if characteristic.on_subscribe is not None:
                characteristic.on_subscribe(on)

    async def _carry(self) -> None:
        """Carry what the peripheral queues, at the pace of its connection events."""
        peripheral = self.peripheral
        carried, event = 0, time.monotonic()
        while True:
            if (held := peripheral.held_until - time.monotonic()) > 0:
                await asyncio.sleep(held)
            if peripheral.interval and carried >= peripheral.per_interval:
                carried, event = 0, max(event + peripheral.interval, time.monotonic())
            if peripheral.interval and (early := event - time.monotonic()) > 0:
                await asyncio.sleep(early)
            self.ready.clear()
            if (queued := peripheral.take()) is None:
                await self.ready.wait()
                continue
            carried += 1
            await self._hand_over(queued.characteristic, queued.value)

    async def _hand_over(self, characteristic: Characteristic, value: bytes) -> None:
        for path, exported in self._exported.items():
            if exported.characteristic is not characteristic:
                continue
            if exported.acquired is not None:
                try:
                    exported.acquired.send(value)
                except OSError:
                    self.peripheral.ledger.unread += 1
            for _ in exported.listeners:
                self._tree.change(path, Value=value)
            await self._drain()

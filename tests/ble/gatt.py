"""A remote device's services as BlueZ shows them: operations on characteristics, and notifications."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from dataclasses import dataclass, field
from typing import Any

from tests.ble.peripheral import Att, BlueZError, Characteristic, Descriptor, Peripheral, Queued, as_bluez
from tests.ble.tree import CHARACTERISTIC, DESCRIPTOR, SERVICE, Tree

_FIRST_HANDLE = 0x000A
_LONGEST = 512


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


class Gatt:
    """What BlueZ knows of a peripheral's services, from one connection to the next."""

    def __init__(self, path: str, peripheral: Peripheral, tree: Tree) -> None:
        self._path, self._peripheral, self._tree = path, peripheral, tree
        self._exported: dict[str, Exported] = {}
        self._descriptors: dict[str, Descriptor] = {}
        self._cached: tuple[object, ...] = ()

    def resolve(self) -> None:
        """Show the services of a new connection, or of the cache."""
        known = bool(self._cached) and (self._peripheral.stale or self._cached == self._peripheral.services)
        if not known:
            self._export()
        for path, exported in self._exported.items():
            if self._peripheral.mtu:
                self._tree.change(path, MTU=self._peripheral.mtu)
            # BlueZ subscribes again for those that are still there.
            if exported.listeners and self._peripheral.has(exported.characteristic):
                self._subscribe(exported.characteristic, on=True)

    def end(self) -> None:
        """The connection is gone; the services are still shown."""
        for exported in self._exported.values():
            self._release(exported)
            self._subscribe(exported.characteristic, on=False)

    def forget(self) -> None:
        """Forget everything."""
        self._exported, self._descriptors, self._cached = {}, {}, ()

    def _export(self) -> None:
        for path in [p for p in self._tree.objects if p.count("/") == self._path.count("/") + 1]:
            if path.startswith(f"{self._path}/"):
                self._tree.remove(path)
        self.end()
        self._exported, self._descriptors = {}, {}
        self._cached = self._peripheral.services
        handle = _FIRST_HANDLE
        mtu = {"MTU": self._peripheral.mtu} if self._peripheral.mtu else {}
        for service in self._peripheral.services:
            service_path = f"{self._path}/service{handle:04x}"
            shown: dict[str, Any] = {
                "UUID": service.uuid,
                "Device": self._path,
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

    def _reach(self, path: str) -> Exported:
        """The characteristic at a path, if the peripheral would answer for it."""
        exported = self._exported[path]
        if not self._peripheral.connected:
            raise BlueZError("Failed", "Not connected")
        if exported.characteristic.failures:
            failure = exported.characteristic.failures.popleft()
            raise as_bluez(failure) if isinstance(failure, int) else failure
        if not self._peripheral.has(exported.characteristic):
            raise as_bluez(Att.INVALID_HANDLE)
        if exported.characteristic.secure and not self._peripheral.bonded:
            raise as_bluez(Att.ENCRYPTION)
        return exported

    def read(self, path: str) -> bytes:
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

    def write(self, path: str, value: bytes, kind: str) -> None:
        """Answer WriteValue; kind is request, command, or empty."""
        if path in self._descriptors:
            self._descriptors[path].value = value
            return
        characteristic = self._reach(path).characteristic
        needed = {"request": {"write"}, "command": {"write-without-response"}}
        if not needed.get(kind, {"write", "write-without-response"}) & {*characteristic.flags}:
            raise as_bluez(Att.NOT_SUPPORTED)
        if kind == "command" and len(value) > self._peripheral.payload:
            raise BlueZError("Failed", "Failed to initiate write")
        if len(value) > _LONGEST:
            raise as_bluez(Att.INVALID_LENGTH)
        characteristic.value = value
        if characteristic.on_write is not None:
            characteristic.on_write(value)

    def start_notify(self, path: str, sender: str) -> None:
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

    def stop_notify(self, path: str, sender: str) -> None:
        """Answer StopNotify, or take note that a client is gone."""
        exported = self._exported[path]
        if sender not in exported.listeners:
            raise BlueZError("Failed", "No notify session started")
        exported.listeners.remove(sender)
        if not exported.listeners:
            self._subscribe(exported.characteristic, on=False)
            self._tree.change(path, Notifying=False)

    def client_gone(self, sender: str) -> None:
        """Forget a client that left the bus; the connection stays, as it does in BlueZ."""
        for path, exported in self._exported.items():
            if sender in exported.listeners:
                self.stop_notify(path, sender)

    def acquire(self, path: str, *, write: bool) -> tuple[int, int]:
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
        return theirs.detach(), self._peripheral.mtu or 23

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

    def hand_over(self, queued: Queued) -> None:
        """Give a notification to those that listen."""
        for path, exported in self._exported.items():
            if exported.characteristic is not queued.characteristic:
                continue
            if exported.acquired is not None:
                try:
                    exported.acquired.send(queued.value)
                except OSError:
                    self._peripheral.unread(queued)
            for _ in exported.listeners:
                self._tree.change(path, Value=queued.value)

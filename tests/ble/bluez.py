"""A bluetoothd whose adapter hears virtual peripherals: `org.bluez` as far as bleak uses it.

What it does was read in BlueZ's sources (src/adapter.c, src/device.c, src/gatt-client.c) and its doc/.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

from dbus_fast import Message, MessageFlag

from tests.ble.bus import Bus
from tests.ble.device import RemoteDevice
from tests.ble.gatt import Gatt
from tests.ble.peripheral import BlueZError, Peripheral
from tests.ble.tree import ADAPTER, CHARACTERISTIC, DESCRIPTOR, DEVICE, MANAGER, PROPERTIES, Tree, variants

ADAPTER_PATH: Final = "/org/bluez/hci0"
_ADVERTISE_EVERY = 0.03
_FORGET_AFTER = 30.0

Answer = tuple[str, list[Any]]
_NOTHING: Answer = ("", [])


class BlueZ:
    """The daemon.

    Attributes:
        peripherals: What is in the air.
        devices: What it knows of them, by path.
        errors: Exceptions that are the bench's or a callback's own fault.
        forget_after: Seconds after which a device that was found but never connected is forgotten.
        denied: The bus's policy keeps the user away, as on systems with a bluetooth group.
        calls: (interface, member) of all calls, for tests of what a client did.
    """

    def __init__(self, bus: Bus) -> None:
        self.peripherals: list[Peripheral] = []
        self.devices: dict[str, RemoteDevice] = {}
        self.errors: list[Exception] = []
        self.calls: list[tuple[str, str]] = []
        self.forget_after = _FORGET_AFTER
        self.denied = False
        self._bus = bus
        self._tree = Tree(bus.send)
        self._sessions: dict[str, dict[str, Any]] = {}  # discovering clients and their filters
        self._filters: dict[str, dict[str, Any]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._scan: asyncio.Task[None] | None = None
        self._powered = True
        self._adapter = False

    # The daemon's life

    async def start(self, *, adapter: bool = True) -> None:
        """Appear on the bus. What is bonded is known from the start."""
        self._tree.objects.clear()
        self._tree.objects["/org/bluez"] = {"org.bluez.AgentManager1": {}}
        await self._bus.serve("org.bluez", self._receive, self._client_gone)
        if adapter:
            self.plug()

    async def stop(self) -> None:
        """Leave the bus as a daemon does that is told to: everything is removed first."""
        self.unplug()
        await self._bus.drain()
        await self._bus.leave()

    async def crash(self) -> None:
        """Leave the bus without a word; the connections end."""
        await self._bus.leave()
        self._quiet()
        for device in self.devices.values():
            device.end()
        self.devices.clear()
        self._adapter = False

    def plug(self) -> None:
        """The adapter appears."""
        self._adapter, self._powered = True, True
        shown = {"Address": "00:11:22:33:44:55", "AddressType": "public", "Name": "bench", "Alias": "bench"}
        roles = ["central", "peripheral"]
        state = {"Powered": True, "Discovering": False, "UUIDs": [], "Roles": roles}
        self._tree.add(ADAPTER_PATH, ADAPTER, {**shown, **state})
        for peripheral in self.peripherals:
            self._remember(peripheral)

    def unplug(self, *, silently: bool = False) -> None:
        """The adapter vanishes, and all that it knew.

        Args:
            silently: Without saying first that the connections ended; seen on real systems.
        """
        self._quiet()
        for path, device in list(self.devices.items()):
            if silently:
                self._tree.remove(path)
            device.hide()
            del self.devices[path]
        self._tree.remove(ADAPTER_PATH)
        self._adapter = False

    def power(self, *, on: bool) -> None:
        """Switch the adapter's radio."""
        if not on:
            self._quiet()
            for device in self.devices.values():
                device.end()
        self._powered = on
        self._tree.change(ADAPTER_PATH, Powered=on)

    def _quiet(self) -> None:
        self._sessions.clear()
        if self._scan is not None:
            self._scan.cancel()
            self._scan = None
        self._tree.change(ADAPTER_PATH, Discovering=False)

    # Devices

    def _device(self, peripheral: Peripheral) -> RemoteDevice:
        path = f"{ADAPTER_PATH}/dev_{peripheral.address.replace(':', '_')}"
        if path not in self.devices:
            self.devices[path] = RemoteDevice(
                path, ADAPTER_PATH, peripheral, self._tree, self._bus.drain, lambda: self._remove(path)
            )
        return self.devices[path]

    def meet(self, peripheral: Peripheral) -> None:
        """A peripheral comes into the air; a bonded one is known already."""
        self.peripherals.append(peripheral)
        self._remember(peripheral)

    def _remember(self, peripheral: Peripheral) -> None:
        if peripheral.bonded and self._adapter:
            self._device(peripheral).show()

    def known(self, peripheral: Peripheral) -> RemoteDevice | None:
        """What BlueZ knows of a peripheral, if anything."""
        return next((device for device in self.devices.values() if device.peripheral is peripheral), None)

    def _remove(self, path: str) -> None:
        if path not in self.devices:
            raise BlueZError("DoesNotExist", "Does Not Exist")
        self.devices[path].peripheral.bonded = False
        self.devices.pop(path).hide()

    async def _advertise(self) -> None:
        turn = 0
        while True:
            turn += 1
            for peripheral in list(self.peripherals):
                if peripheral.advertising and peripheral.in_reach and not peripheral.connected:
                    self._heard(peripheral, peripheral.rssi - turn % 2)
            await asyncio.sleep(_ADVERTISE_EVERY)

    def _heard(self, peripheral: Peripheral, rssi: int) -> None:
        wanted = [session.get("UUIDs") for session in self._sessions.values()]
        if all(uuids and not {*uuids} & {*peripheral.uuids} for uuids in wanted):
            return
        device = self._device(peripheral)
        if device.path in self._tree.objects:
            self._tree.change(device.path, RSSI=rssi)
        else:
            device.show(rssi)

    def _forget_unused(self) -> None:
        """Forget what was only heard of, some time after it was."""
        if self._scan is None:
            for path, device in list(self.devices.items()):
                if not device.peripheral.connections and not device.peripheral.bonded:
                    device.hide()
                    del self.devices[path]

    # Calls

    def _receive(self, message: Message) -> None:
        self.calls.append((message.interface or "", message.member or ""))
        task = asyncio.get_running_loop().create_task(self._respond(message))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _respond(self, message: Message) -> None:
        descriptors: list[int] = []
        try:
            signature, body = await self._answer(message)
            descriptors = [body[0]] if signature == "hq" else []
            if descriptors:
                body = [0, body[1]]
            reply = Message.new_method_return(message, signature, body, descriptors)
        except BlueZError as error:
            reply = Message.new_error(message, error.name, error.text)
        except Exception as error:  # the bench says so at its end
            self.errors.append(error)
            reply = Message.new_error(message, "org.freedesktop.DBus.Error.Failed", repr(error))
        if not message.flags & MessageFlag.NO_REPLY_EXPECTED:
            self._bus.send(reply)

    async def _answer(self, message: Message) -> Answer:
        path, interface, member = message.path or "", message.interface, message.member
        if self.denied:
            raise BlueZError("org.freedesktop.DBus.Error.AccessDenied", "Rejected send message")
        if interface == MANAGER and path == "/":
            return "a{oa{sa{sv}}}", [self._tree.managed()]
        shown = self._tree.objects.get(path)
        if shown is None:
            method = f'Method "{member}" with signature "{message.signature}" on interface "{interface}"'
            raise BlueZError("org.freedesktop.DBus.Error.UnknownObject", f"{method} doesn't exist")
        if interface == PROPERTIES:
            return self._property(path, member or "", message.body)
        if interface in shown and interface == ADAPTER:
            return self._adapter_call(member or "", message)
        device = next((d for d in self.devices.values() if f"{path}/".startswith(f"{d.path}/")), None)
        if interface in shown and device is not None:
            if interface == DEVICE:
                return await self._device_call(device, member or "")
            if interface in (CHARACTERISTIC, DESCRIPTOR):
                return self._value_call(device.gatt, path, member or "", message)
        raise BlueZError("org.freedesktop.DBus.Error.UnknownMethod", f"{interface}.{member} is unknown")

    def _property(self, path: str, member: str, body: list[Any]) -> Answer:
        properties = self._tree.objects[path].get(body[0], {})
        if member == "GetAll":
            return "a{sv}", [variants(properties)]
        if member == "Get" and body[1] in properties:
            return "v", [variants({body[1]: properties[body[1]]})[body[1]]]
        if member == "Set" and (body[0], body[1]) == (ADAPTER, "Powered"):
            self.power(on=body[2].value)
            return _NOTHING
        if member == "Set" and body[1] in ("Trusted", "Alias", "Blocked"):
            self._tree.change(path, **{body[1]: body[2].value})
            return _NOTHING
        raise BlueZError("org.freedesktop.DBus.Error.InvalidArgs", f"no such property: {body}")

    def _adapter_call(self, member: str, message: Message) -> Answer:
        sender = message.sender or ""
        if member == "RemoveDevice":
            self._remove(message.body[0])
        elif not self._powered:
            raise BlueZError("NotReady", "Resource Not Ready")
        elif member == "SetDiscoveryFilter":
            self._filters[sender] = {name: value.value for name, value in message.body[0].items()}
        elif member == "StartDiscovery":
            if sender in self._sessions:
                raise BlueZError("InProgress", "Operation already in progress")
            self._sessions[sender] = self._filters.get(sender, {})
            if self._scan is None:
                self._scan = asyncio.get_running_loop().create_task(self._advertise())
            self._tree.change(ADAPTER_PATH, Discovering=True)
        elif member == "StopDiscovery":
            if sender not in self._sessions:
                raise BlueZError("Failed", "No discovery started")
            self._end_session(sender)
        else:
            raise BlueZError("org.freedesktop.DBus.Error.UnknownMethod", f"{member} is unknown")
        return _NOTHING

    def _end_session(self, sender: str) -> None:
        if self._sessions.pop(sender, None) is None or self._sessions:
            return
        if self._scan is not None:
            self._scan.cancel()
            self._scan = None
        for path in self.devices:
            self._tree.change(path, invalidated=("RSSI", "TxPower"))
        self._tree.change(ADAPTER_PATH, Discovering=False)
        asyncio.get_running_loop().call_later(self.forget_after, self._forget_unused)

    async def _device_call(self, device: RemoteDevice, member: str) -> Answer:
        if not self._powered:
            raise BlueZError("NotReady", "Resource Not Ready")
        calls: dict[str, Callable[[], Any]] = {
            "Connect": device.connect,
            "Disconnect": device.disconnect,
            "Pair": device.pair,
        }
        if member not in calls:
            raise BlueZError("org.freedesktop.DBus.Error.UnknownMethod", f"{member} is unknown")
        await calls[member]()
        return _NOTHING

    def _value_call(self, gatt: Gatt, path: str, member: str, message: Message) -> Answer:
        sender, body = message.sender or "", message.body
        if member == "ReadValue":
            return "ay", [gatt.read(path)]
        if member == "WriteValue":
            kind = body[1].get("type")
            gatt.write(path, bytes(body[0]), kind.value if kind is not None else "")
        elif member == "StartNotify":
            gatt.start_notify(path, sender)
        elif member == "StopNotify":
            gatt.stop_notify(path, sender)
        elif member in ("AcquireNotify", "AcquireWrite"):
            return "hq", [*gatt.acquire(path, write=member == "AcquireWrite")]
        else:
            raise BlueZError("org.freedesktop.DBus.Error.UnknownMethod", f"{member} is unknown")
        return _NOTHING

    def _client_gone(self, sender: str) -> None:
        self._end_session(sender)
        self._filters.pop(sender, None)
        for device in self.devices.values():
            device.gatt.client_gone(sender)

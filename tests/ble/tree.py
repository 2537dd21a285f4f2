"""The objects that a D-Bus service shows: paths, interfaces, properties, and the signals when they change."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dbus_fast import Message, Variant

ADAPTER = "org.bluez.Adapter1"
DEVICE = "org.bluez.Device1"
SERVICE = "org.bluez.GattService1"
CHARACTERISTIC = "org.bluez.GattCharacteristic1"
DESCRIPTOR = "org.bluez.GattDescriptor1"
MANAGER = "org.freedesktop.DBus.ObjectManager"
PROPERTIES = "org.freedesktop.DBus.Properties"

# doc/org.bluez.*.rst of BlueZ
_SIGNATURES = {
    **dict.fromkeys(["Address", "AddressType", "Name", "Alias", "UUID"], "s"),
    **dict.fromkeys(["UUIDs", "Roles", "Flags"], "as"),
    **dict.fromkeys(["Adapter", "Device", "Service", "Characteristic"], "o"),
    **dict.fromkeys(["Powered", "Discovering", "Discoverable", "Pairable", "Primary"], "b"),
    **dict.fromkeys(["Paired", "Bonded", "Trusted", "Blocked", "LegacyPairing"], "b"),
    **dict.fromkeys(["Connected", "ServicesResolved"], "b"),
    **dict.fromkeys(["Notifying", "NotifyAcquired", "WriteAcquired"], "b"),
    **dict.fromkeys(["RSSI", "TxPower"], "n"),
    "Includes": "ao",
    "Class": "u",
    "MTU": "q",
    "Value": "ay",
    "ManufacturerData": "a{qv}",
    "ServiceData": "a{sv}",
}

Properties = dict[str, Any]


def variants(properties: Mapping[str, Any]) -> dict[str, Variant]:
    """Properties with the types that BlueZ gives them."""
    typed = {}
    for name, value in properties.items():
        if name in ("ManufacturerData", "ServiceData"):
            value = {key: Variant("ay", data) for key, data in value.items()}
        typed[name] = Variant(_SIGNATURES[name], value)
    return typed


class Tree:
    """Objects by path; tells the bus of every change."""

    def __init__(self, send: Callable[[Message], None]) -> None:
        self._send = send
        self.objects: dict[str, dict[str, Properties]] = {}

    def add(self, path: str, interface: str, properties: Properties) -> None:
        """Show an object."""
        self.objects[path] = {interface: properties}
        body = [path, {interface: variants(properties), PROPERTIES: {}}]
        self._send(Message.new_signal("/", MANAGER, "InterfacesAdded", "oa{sa{sv}}", body))

    def remove(self, path: str) -> None:
        """Show an object, and those below it, no longer; the deepest go first."""
        for below in [known for known in self.objects if known == path or known.startswith(f"{path}/")][::-1]:
            body = [below, [*self.objects.pop(below), PROPERTIES]]
            self._send(Message.new_signal("/", MANAGER, "InterfacesRemoved", "oas", body))

    def change(self, path: str, *, invalidated: tuple[str, ...] = (), **changed: Any) -> None:
        """Change properties; no signal if nothing does, but for a characteristic's value."""
        if path not in self.objects:
            return
        interface, properties = next(iter(self.objects[path].items()))
        changed = {k: v for k, v in changed.items() if k == "Value" or properties.get(k) != v}
        gone = [name for name in invalidated if properties.pop(name, None) is not None]
        properties.update(changed)
        if changed or gone:
            body = [interface, variants(changed), gone]
            self._send(Message.new_signal(path, PROPERTIES, "PropertiesChanged", "sa{sv}as", body))

    def get(self, path: str, name: str) -> Any:
        """A property, None if there is no such object or property."""
        return next(iter(self.objects.get(path, {"": {}}).values())).get(name)

    def managed(self) -> dict[str, dict[str, dict[str, Variant]]]:
        """Everything, as GetManagedObjects gives it."""
        return {
            path: {interface: variants(properties) for interface, properties in interfaces.items()}
            for path, interfaces in self.objects.items()
        }

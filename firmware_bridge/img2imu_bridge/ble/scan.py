"""Who advertises nearby, and who of them is meant."""

from __future__ import annotations

import contextlib
import re
from typing import NamedTuple

from bleak import BleakAdapter, BleakScanner
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData

from img2imu_bridge.ble.trouble import FAILURES, explain
from img2imu_bridge.profiles import Advertisement
from img2imu_bridge.transport import ConnectError

NORDIC_UART_SERVICE = "6e400001-b5a3-f393-e0a9-e50e24dcca9e"

_ADDRESS = re.compile(r"(?i)(?:[0-9A-F]{2}:){5}[0-9A-F]{2}|[0-9A-F]{8}(?:-[0-9A-F]{4}){3}-[0-9A-F]{12}")
"""A Bluetooth address, or the identifier that macOS gives instead."""


_COMMON = ["1800", "1801", NORDIC_UART_SERVICE]
"""Services, one of which about every device has: Generic Access, Generic Attribute."""


class Sighting(NamedTuple):
    """A device that advertises.

    Attributes:
        device: For bleak.
        advertisement: What it says.
    """

    device: BLEDevice
    advertisement: Advertisement


async def nearby(seconds: float) -> list[Sighting]:
    """Everyone who advertises within some seconds, strongest first.

    Raises:
        ConnectError: If there is no Bluetooth here; the message says what to do.
    """
    try:
        found = await BleakScanner.discover(timeout=seconds, return_adv=True)
    except FAILURES as error:
        raise explain(error, "") from error
    sightings = [Sighting(device, _read(device, said)) for device, said in found.values()]
    return sorted(sightings, key=lambda sighting: -sighting.advertisement.rssi)


async def find(who: str, seconds: float) -> Sighting:
    """The device of this address or name.

    Args:
        who: An address, an identifier on macOS, or a name; capitals do not matter.
        seconds: How long to look.

    Raises:
        ConnectError: If nobody of this name advertises, or there is no Bluetooth here.
    """
    seen: dict[str, Advertisement] = {}

    def is_meant(device: BLEDevice, said: AdvertisementData) -> bool:
        seen[device.address] = advertisement = _read(device, said)
        return who.casefold() in (device.address.casefold(), advertisement.name.casefold())

    try:
        device = await BleakScanner.find_device_by_filter(is_meant, timeout=seconds)
    except FAILURES as error:
        raise explain(error, who) from error
    if device is None:
        device = await _connected(who)
        if device is not None:
            seen[device.address] = Advertisement(device.address, device.name or "")
    if device is None:
        others = sorted({a.name for a in seen.values() if a.name})
        names = f" It heard {', '.join(others[:5])}." if others else " It heard nobody."
        kind = "address" if _ADDRESS.fullmatch(who) else "name"
        raise ConnectError(
            f"nobody of the {kind} {who} advertised for {seconds:g} s.{names} Is it on, near, and not "
            "connected to a phone? A connected device does not advertise",
            1.0,
        )
    return Sighting(device, seen[device.address])


async def _connected(who: str) -> BLEDevice | None:
    """The device, if the system is connected to it still, as after a process that was killed."""
    with contextlib.suppress(*FAILURES):
        adapter = await BleakAdapter.get()
        for device in await adapter.get_connected_devices(_COMMON):
            if who.casefold() in (device.address.casefold(), (device.name or "").casefold()):
                return device
    return None


def _read(device: BLEDevice, said: AdvertisementData) -> Advertisement:
    return Advertisement(
        address=device.address,
        name=said.local_name or device.name or "",
        rssi=said.rssi,
        services=frozenset(service.lower() for service in said.service_uuids),
        manufacturer=dict(said.manufacturer_data),
    )

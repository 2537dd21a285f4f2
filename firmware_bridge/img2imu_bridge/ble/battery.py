"""How full a device's battery is, by the Battery Service that Bluetooth defines (BAS 1.1)."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

from bleak import BleakClient

from img2imu_bridge.ble.trouble import FAILURES
from img2imu_edge.source import LinkStats

LEVEL: Final = "00002a19-0000-1000-8000-00805f9b34fb"
"""Battery Level: one byte, 0 to 100 %."""

_FIRST_S: Final = 2.0
_EVERY_S: Final = 300.0


async def watch(client: BleakClient, stats: LinkStats) -> None:
    """Keep `stats.battery` current until cancelled, or until the device does not tell.

    Args:
        client: Connected.
        stats: Where it goes.
    """

    def tell(value: bytes | bytearray) -> None:
        if value and value[0] <= 100:
            stats.battery = value[0]

    with contextlib.suppress(*FAILURES):  # whatever goes wrong here, the stream is none the worse for it
        level = client.services.get_characteristic(LEVEL)
        if level is None:
            return
        await asyncio.sleep(_FIRST_S)  # the stream is set up first
        tell(await client.read_gatt_char(level))
        if "notify" in level.properties:
            await client.start_notify(level, lambda _, value: tell(value))
            return
        while True:
            await asyncio.sleep(_EVERY_S)
            tell(await client.read_gatt_char(level))

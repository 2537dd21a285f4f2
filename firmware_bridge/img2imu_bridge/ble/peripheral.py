"""A connected peripheral: reads, writes, and what it notifies, in order and each once."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from typing import Any, Final
from weakref import WeakKeyDictionary

from bleak import BleakClient
from bleak.backends.characteristic import BleakGATTCharacteristic

from img2imu_bridge.ble import battery
from img2imu_bridge.ble.scan import Sighting, find
from img2imu_bridge.ble.trouble import FAILURES, explain, is_stale
from img2imu_bridge.profiles import Notification
from img2imu_bridge.transport import ConnectError, LinkLostError
from img2imu_edge.errors import SourceError
from img2imu_edge.source import LinkStats

WAITING: Final = 4096
"""Notifications that may wait. BLE cannot be held back: beyond it the oldest go, which shows as a gap."""

_GOODBYE_S: Final = 5.0

_connecting: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()
"""An adapter scans or connects, one device at a time: others wait for their turn instead of failing."""


class Peripheral:
    """One connection to one peripheral; see `Device`. Opened once, closed however it ended.

    Args:
        who: Its address or name.
        stats: Counters to keep current.
        scan_s: Seconds to look for it.
        connect_s: Seconds that connecting may take.
        encrypted: Refuse a link that is not encrypted, where the platform can tell.

    Attributes:
        stats: As above.
        overflowed: Notifications that were dropped because nobody took them.
    """

    def __init__(
        self,
        who: str,
        stats: LinkStats,
        *,
        scan_s: float = 10.0,
        connect_s: float = 15.0,
        encrypted: bool = False,
    ) -> None:
        self.stats, self.overflowed = stats, 0
        self._who, self._scan_s, self._connect_s, self._encrypted = who, scan_s, connect_s, encrypted
        self._sighting: Sighting | None = None
        self._client: BleakClient | None = None
        self._battery: asyncio.Task[None] | None = None
        self._waiting: deque[Notification] = deque(maxlen=WAITING)
        self._news = asyncio.Event()
        self._lost = False

    @property
    def sighting(self) -> Sighting:
        """What it advertised.

        Raises:
            LinkLostError: If it was never found.
        """
        if self._sighting is None:
            raise LinkLostError(f"{self._who} is not connected")
        return self._sighting

    @property
    def name(self) -> str:
        """Its name, or its address."""
        return self.sighting.advertisement.name or self._who

    async def open(self) -> None:
        """Find it and connect.

        Raises:
            ConnectError: If that fails; the message says what to do.
        """
        lock = _connecting.setdefault(asyncio.get_running_loop(), asyncio.Lock())
        async with lock:
            self._sighting = await find(self._who, self._scan_s)
            client = BleakClient(self._sighting.device, self._disconnected, timeout=self._connect_s)
            self._client = client
            try:
                await client.connect()
            except FAILURES as error:
                await self.close()
                raise explain(error, self._who) from error
        if self._encrypted:
            await self._demand_encryption()
        self._battery = asyncio.create_task(battery.watch(client, self.stats))

    async def hear(self) -> Notification:
        """Wait for what it says next; cancelling loses nothing.

        Raises:
            LinkLostError: If the connection is gone, and all that came before was heard.
        """
        while not self._waiting:
            if self._lost:
                raise LinkLostError("the device disconnected, or went out of reach")
            self._news.clear()
            await self._news.wait()
        notification = self._waiting.popleft()
        self.stats.bytes_received += len(notification.value)
        return notification

    def hear_more(self) -> list[Notification]:
        """What else it has said already."""
        more = list(self._waiting)
        self._waiting.clear()
        self.stats.bytes_received += sum(len(notification.value) for notification in more)
        return more

    async def answer(self, characteristic: str, seconds: float) -> bytes:
        """Wait for the next value of a subscribed characteristic; see `Device`."""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    for notification in self._waiting:
                        if notification.characteristic == characteristic:
                            self._waiting.remove(notification)
                            return notification.value
                    if self._lost:
                        raise LinkLostError("the device disconnected, or went out of reach")
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise SourceError(
                f"{self.name} did not answer on {characteristic} within {seconds:g} s; switch it off and on"
            ) from None

    async def read(self, characteristic: str) -> bytes:
        """Read a value; see `Device`."""
        return bytes(await self._try(self._connected().read_gatt_char(characteristic)))

    async def write(self, characteristic: str, value: bytes, *, response: bool = True) -> None:
        """Write a value; see `Device`."""
        client = self._connected()
        found = client.services.get_characteristic(characteristic)
        if found is not None:  # some stacks offer only one of the two ways
            properties = found.properties
            response = ("write" in properties) if response else ("write-without-response" not in properties)
        await self._try(client.write_gatt_char(characteristic, value, response=response))

    async def subscribe(self, characteristic: str) -> None:
        """Have it send a characteristic's values; see `Device`."""
        await self._try(self._connected().start_notify(characteristic, self._notified))

    def has(self, characteristic: str) -> bool:
        """Whether it has such a characteristic."""
        return self._connected().services.get_characteristic(characteristic) is not None

    def payload(self, characteristic: str) -> int:
        """Bytes that fit into one write without response: MTU - 3. BlueZ's own `mtu_size` says 23 always."""
        found = self._connected().services.get_characteristic(characteristic)
        return found.max_write_without_response_size if found is not None else 20

    def facts(self) -> dict[str, str]:
        """What is known of the link, for people."""
        said = self.sighting.advertisement
        client = self._connected()
        sizes = [c.max_write_without_response_size for s in client.services for c in s.characteristics]
        return {
            "carrier": f"BLE, {_backend(client)}",
            "device": f"{said.name or '(no name)'}, {said.address}",
            "signal when found": f"{said.rssi} dBm",
            "MTU": f"{max(sizes) + 3}" if sizes else "unknown",
            "connection interval": "not told by this platform",
            "bonded": {True: "yes", False: "no", None: "not told by this platform"}[self._bonded()],
            "battery": "not told" if self.stats.battery is None else f"{self.stats.battery} %",
            "dropped here": str(self.overflowed),
        }

    async def forget_cache(self) -> None:
        """Have the system forget the services that it remembers of the device, unless they are bonded."""
        if self._client is not None and self._bonded() is False:
            with contextlib.suppress(*FAILURES):
                await self._client.unpair()

    async def close(self) -> None:
        """Disconnect. A client that is not disconnected, even a dead one, makes the next get all twice."""
        client, self._client = self._client, None
        self._lost = True
        self._news.set()
        if self._battery is not None:
            self._battery.cancel()
        if client is not None:
            with contextlib.suppress(*FAILURES):
                await asyncio.wait_for(client.disconnect(), _GOODBYE_S)

    def _connected(self) -> BleakClient:
        if self._client is None:
            raise LinkLostError(f"{self._who} is not connected")
        if self._lost or not self._client.is_connected:
            raise LinkLostError(f"{self._who} disconnected at once; go nearer if it keeps doing so")
        return self._client

    async def _try(self, operation: Any) -> Any:
        try:
            return await operation
        except FAILURES as error:
            if self._lost:
                raise LinkLostError("the device disconnected, or went out of reach") from error
            if is_stale(error):
                raise MissingCharacteristicError(self._who, str(error)) from error
            raise explain(error, self._who) from error

    def _notified(self, characteristic: BleakGATTCharacteristic, value: bytearray) -> None:
        self.overflowed += len(self._waiting) == WAITING
        self._waiting.append(Notification(characteristic.uuid.lower(), bytes(value), time.monotonic()))
        self._news.set()

    def _disconnected(self, client: BleakClient) -> None:
        if client is self._client or self._client is None:
            self._lost = True
            self._news.set()

    def _bonded(self) -> bool | None:
        """Whether the system has keys for the device; None where it does not tell."""
        details = self.sighting.device.details
        props = details.get("props") if isinstance(details, dict) else None
        if not isinstance(props, dict) or "Paired" not in props:
            return None
        return bool(props.get("Bonded", props["Paired"]))

    async def _demand_encryption(self) -> None:
        """A link between bonded devices is encrypted; without a bond it is not."""
        if self._bonded() is None:
            await self.close()
            raise ConnectError(
                "this platform does not tell whether a link is encrypted; leave out require_encryption",
                60.0,
            )
        if not self._bonded():
            await self.close()
            raise ConnectError(
                f"the link would not be encrypted, for there is no bond: bluetoothctl pair {self._who}",
                5.0,
            )


def _backend(client: BleakClient) -> str:
    return str(getattr(client.backend_id, "value", client.backend_id))


class MissingCharacteristicError(ConnectError):
    """The device has no such characteristic, or the system remembers what it had before."""

    stale = True

    def __init__(self, who: str, what: str) -> None:
        super().__init__(
            f"{what} Is {who} another device, or does it need its app? After a firmware update the system "
            f"may remember old services: bluetoothctl remove {who}",
            1.0,
        )

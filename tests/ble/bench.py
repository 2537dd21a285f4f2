"""A Bluetooth adapter and what it hears, without a radio: bleak's own BlueZ backend runs on it unmodified.

    from tests.ble.peripheral import Characteristic, Failure, Peripheral, Service

    async def test_reads_the_battery(bench: Bench) -> None:      # fixture of tests/ble/conftest.py
        level = Characteristic("00002a19-0000-1000-8000-00805f9b34fb", ["read", "notify"], b"\\x63")
        battery = Service("0000180f-0000-1000-8000-00805f9b34fb", [level])
        band = bench.add(Peripheral("Band", "C0:FF:EE:00:00:01", [battery], mtu=247))
        band.connect_failures.append(Failure.REFUSED)            # the next Connect fails so
        device = await BleakScanner.find_device_by_name("Band")
        async with BleakClient(device) as client:
            assert await client.read_gatt_char(level.uuid) == b"\\x63"
            await client.start_notify(level.uuid, lambda _, value: ...)
            band.notify(level.uuid, b"\\x62")                     # from any thread
            band.drop()                                          # out of reach

The bench runs in a thread of its own, so that a test may block its event loop, or start a process (with
`DBUS_SYSTEM_BUS_ADDRESS` in its environment, which the fixture sets). All methods may be called from any
thread, and return when it is done; callbacks of peripherals come in the bench's thread.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

from tests.ble.bluez import BlueZ
from tests.ble.bus import Bus, PrivateBus
from tests.ble.peripheral import Peripheral

T = TypeVar("T")
_PATIENCE = 10.0
P = TypeVar("P", bound=Peripheral)


class Bench:
    """A message bus, a bluetoothd on it, and peripherals in the air.

    Attributes:
        address: For `DBUS_SYSTEM_BUS_ADDRESS`.
        bluez: The daemon; for looking, and for its attributes `denied` and `forget_after`.

    Args:
        make_bus: Makes the bus; `DaemonBus` for a genuine one.
        adapter: Whether there is an adapter at first.
    """

    def __init__(self, make_bus: Callable[[], Bus] = PrivateBus, *, adapter: bool = True) -> None:
        self._bus, self._adapter = make_bus(), adapter
        self.address = self._bus.address
        self.bluez = BlueZ(self._bus)
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(self._blame)
        self._thread = threading.Thread(target=self._loop.run_forever, name="bench", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._do(self._bus.start())
        self._do(self.bluez.start(adapter=self._adapter))
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_PATIENCE)
        self._loop.close()
        if self.bluez.errors and exc is None:
            raise self.bluez.errors[0]

    async def _end(self) -> None:
        await self.bluez.crash()
        await self._bus.stop()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    # The air

    def add(self, peripheral: P) -> P:
        """Bring a peripheral into the air; returns it."""
        assert all(peripheral.address != other.address for other in self.bluez.peripherals), (
            "address is taken"
        )
        peripheral.host = self
        self.run(lambda: self.bluez.meet(peripheral))
        return peripheral

    def remove(self, peripheral: Peripheral) -> None:
        """Take a peripheral out of the air: its connection ends, and it is heard no more."""
        self.run(lambda: self.drop(peripheral))
        self.run(lambda: self.bluez.peripherals.remove(peripheral))

    # The host's Bluetooth

    def unplug(self, *, silently: bool = False) -> None:
        """Pull the adapter out; `silently`, without signals that the connections ended."""
        self.run(lambda: self.bluez.unplug(silently=silently))

    def plug(self) -> None:
        """Put the adapter back."""
        self.run(self.bluez.plug)

    def power(self, *, on: bool) -> None:
        """Switch the adapter off or on."""
        self.run(lambda: self.bluez.power(on=on))

    def stop_bluetoothd(self, *, crash: bool = False) -> None:
        """End bluetoothd; a crash comes without a word."""
        self._do(self.bluez.crash() if crash else self.bluez.stop())

    def start_bluetoothd(self) -> None:
        """Start it again; it knows what is bonded, and nothing else."""
        self._do(self.bluez.start())

    def stop_bus(self) -> None:
        """End the message bus itself."""
        self._do(self._bus.stop())

    # What peripherals need

    def run(self, function: Callable[[], T]) -> T:
        """Run something in the bench's thread, and wait for it."""
        if threading.current_thread() is self._thread:
            return function()

        async def call() -> T:
            return function()

        return self._do(call())

    def wake(self, peripheral: Peripheral) -> None:
        """There is something in a peripheral's queue."""
        device = self.bluez.known(peripheral)
        if device is not None:
            self._loop.call_soon_threadsafe(device.ready.set)

    def drop(self, peripheral: Peripheral) -> None:
        """A peripheral's connection is gone."""
        if (device := self.bluez.known(peripheral)) is not None:
            device.end()

    def services_changed(self, peripheral: Peripheral) -> None:
        """A peripheral indicates Service Changed."""
        if (device := self.bluez.known(peripheral)) is not None:
            device.services_changed()

    def _blame(self, _: object, context: dict[str, Any]) -> None:
        self.bluez.errors.append(context.get("exception") or RuntimeError(context["message"]))

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_PATIENCE)


async def until(condition: Callable[[], object], seconds: float = 5.0) -> None:
    """Wait until something is so; fails the test if it does not become so in time."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is waited for knows of no event
            await asyncio.sleep(0.002)

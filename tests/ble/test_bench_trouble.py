"""What goes wrong on the bench goes wrong as it does with BlueZ, as far as bleak can tell."""

from __future__ import annotations

import asyncio
import sys

import pytest
from bleak import BleakAdapter, BleakClient, BleakScanner
from bleak.exc import (
    BleakBluetoothNotAvailableError,
    BleakBluetoothNotAvailableReason,
    BleakDBusError,
    BleakDeviceNotFoundError,
    BleakError,
    BleakGATTProtocolError,
)

from tests.ble.bench import Bench, until
from tests.ble.peripheral import Characteristic, Failure, Peripheral, Service
from tests.ble.test_bench import BATTERY, LEVEL, NOTIFY, NUS, WRITE, battery, find, listen, uart

ANSWERED = [failure for failure in Failure if failure not in (Failure.HANGS, Failure.GONE, Failure.ABORTED)]


@pytest.mark.parametrize("failure", ANSWERED)
async def test_connecting_fails(bench: Bench, failure: Failure) -> None:
    band = bench.add(Peripheral(services=[battery()]))
    band.connect_failures.append(failure)
    device = await BleakScanner.find_device_by_address(band.address)
    assert device is not None
    with pytest.raises(BleakDBusError) as raised:
        await BleakClient(device).connect()
    name, text = failure.value
    assert (raised.value.dbus_error, raised.value.dbus_error_details) == (f"org.bluez.Error.{name}", text)
    async with BleakClient(device) as client:
        assert await client.read_gatt_char(LEVEL) == b"\x63"
    assert band.connections == 1


async def test_bleak_tries_again_when_aborted(bench: Bench) -> None:
    band = bench.add(Peripheral(services=[battery()]))
    band.connect_failures += [Failure.ABORTED, Failure.ABORTED]
    async with BleakClient(band.address) as client:
        assert await client.read_gatt_char(LEVEL) == b"\x63"
    assert bench.bluez.calls.count(("org.bluez.Device1", "Connect")) == 3


async def test_connecting_takes_for_ever(bench: Bench) -> None:
    band = bench.add(Peripheral(services=[battery()]))
    device = await BleakScanner.find_device_by_address(band.address)
    assert device is not None
    band.connect_failures.append(Failure.HANGS)
    with pytest.raises(TimeoutError):
        await BleakClient(device, timeout=0.1).connect()
    band.in_reach = False
    with pytest.raises(TimeoutError):
        await BleakClient(device, timeout=0.1).connect()
    band.in_reach = True
    async with BleakClient(device):
        assert band.connected


async def test_a_device_is_forgotten(bench: Bench) -> None:
    bench.bluez.forget_after = 0.01
    band = bench.add(Peripheral(services=[battery()]))
    device = await BleakScanner.find_device_by_address(band.address)
    assert device is not None
    await until(lambda: not bench.bluez.devices)
    with pytest.raises(BleakError, match="not found"):
        await BleakClient(device).connect()
    device = await BleakScanner.find_device_by_address(band.address)
    assert device is not None
    band.connect_failures.append(Failure.GONE)
    bench.bluez.forget_after = 60
    with pytest.raises((BleakDeviceNotFoundError, BleakError), match="not found"):
        await BleakClient(device).connect()


async def test_the_connection_is_lost_and_comes_back(bench: Bench) -> None:
    band = bench.add(Peripheral(services=[uart()], capacity=10))
    for round_ in range(3):
        got: list[bytes] = []
        left = asyncio.Event()
        client = BleakClient(band.address, disconnected_callback=lambda _, left=left: left.set())
        await client.connect()
        await listen(client, got)
        band.notify(NOTIFY, bytes([round_]))
        await until(lambda got=got: got)
        band.hold(60)
        assert band.notify(NOTIFY, b"late")
        band.drop()
        band.hold(0)
        await asyncio.wait_for(left.wait(), 2)
        assert not client.is_connected
        await client.disconnect()
        assert got[0] == bytes([round_])
    ledger = band.ledger
    assert ledger.made == ledger.sent + ledger.cut + ledger.unheard == 6


async def test_a_client_that_is_not_disconnected_hears_for_the_next(bench: Bench) -> None:
    band = bench.add(Peripheral(services=[uart()]))
    dead = BleakClient(band.address)
    await dead.connect()
    await listen(dead, [])
    band.drop()
    await until(lambda: not dead.is_connected)
    for patient, times in ((False, 2), (True, 1)):
        if patient:
            await dead.disconnect()
        got: list[bytes] = []
        async with BleakClient(band.address) as client:
            await listen(client, got)
            band.notify(NOTIFY, b"a")
            band.notify(NOTIFY, b"b")
            await until(lambda got=got, times=times: len(got) == 2 * times)
            await asyncio.sleep(0.05)
        assert got == [b"a"] * times + [b"b"] * times


async def test_a_process_that_is_killed_leaves_the_connection(bench: Bench) -> None:
    band = bench.add(Peripheral(services=[battery()]))
    code = f"""
import asyncio, bleak
async def main():
    await bleak.BleakClient("{band.address}").connect()
    await asyncio.sleep(60)
asyncio.run(main())"""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code)
    await until(lambda: band.connected)
    process.kill()
    await process.wait()
    await asyncio.sleep(0.05)
    assert band.connected
    assert await BleakScanner.find_device_by_address(band.address, 0.2) is None  # it does not advertise
    adapter = await BleakAdapter.get()
    (device,) = await adapter.get_connected_devices([BATTERY])
    async with BleakClient(device) as client:
        assert await client.read_gatt_char(LEVEL) == b"\x63"
    assert not band.connected


async def test_services_are_slow_or_never_come(bench: Bench) -> None:
    band = bench.add(Peripheral(services=[battery()], resolve_seconds=0.1))
    async with BleakClient(band.address) as client:
        assert await client.read_gatt_char(LEVEL) == b"\x63"
    band.resolve_seconds = 60
    with pytest.raises(TimeoutError):
        await BleakClient(band.address, timeout=0.2).connect()
    connecting = asyncio.create_task(BleakClient(band.address).connect())
    await until(lambda: band.connected)
    await asyncio.sleep(0.02)
    band.drop()
    with pytest.raises(BleakError, match="failed to discover services, device disconnected"):
        await connecting


async def test_services_change_between_connections(bench: Bench) -> None:
    band = bench.add(Peripheral(services=[battery()]))
    async with BleakClient(band.address) as client:
        old = client.services.get_characteristic(LEVEL)
    band.change_services([uart(), battery()])
    async with BleakClient(band.address) as client:
        new = client.services.get_characteristic(LEVEL)
        assert old is not None
        assert new is not None
        assert new.handle > old.handle
        assert client.services.get_service(NUS) is not None
        assert await client.read_gatt_char(LEVEL) == b"\x63"


async def test_bluez_believes_its_cache(bench: Bench) -> None:
    band = bench.add(Peripheral(services=[battery()]))
    async with BleakClient(band.address) as client:
        await client.read_gatt_char(LEVEL)
    band.stale = True
    band.change_services([uart(), battery()])
    async with BleakClient(band.address) as client:
        assert client.services.get_service(NUS) is None
        with pytest.raises(BleakGATTProtocolError) as raised:
            await client.read_gatt_char(LEVEL)
        assert raised.value.code == 0x01
        await client.unpair()  # removes the device, and with it the cache
    band.stale = False
    async with BleakClient(band.address) as client:
        assert client.services.get_service(NUS) is not None


async def test_services_change_under_a_client(bench: Bench) -> None:
    band = bench.add(Peripheral(services=[battery()]))
    async with BleakClient(band.address) as client:
        band.change_services([uart()])
        with pytest.raises(BleakError):
            await client.read_gatt_char(LEVEL)
    async with BleakClient(band.address) as client:
        assert [service.uuid for service in client.services] == [NUS]


async def test_a_secret_needs_a_bond(bench: Bench) -> None:
    secret = Characteristic(LEVEL, ["read", "notify"], b"\x01", secure=True)
    band = bench.add(Peripheral(services=[Service(BATTERY, [secret])]))
    async with BleakClient(band.address) as client:
        for attempt in (client.read_gatt_char(LEVEL), client.start_notify(LEVEL, print)):
            with pytest.raises(BleakDBusError) as raised:
                await attempt
            assert raised.value.dbus_error == "org.bluez.Error.NotPermitted"
            assert raised.value.dbus_error_details == "Not paired"
        band.pair_failures.append(Failure.AUTHENTICATION)
        with pytest.raises(BleakDBusError) as raised:
            await client.pair()
        assert raised.value.dbus_error == "org.bluez.Error.AuthenticationFailed"
        await client.pair()
        assert band.bonded
        assert await client.read_gatt_char(LEVEL) == b"\x01"
    band.drop()
    async with BleakClient(band.address, pair=True) as client:  # it is already
        assert await client.read_gatt_char(LEVEL) == b"\x01"


async def test_the_adapter_vanishes_and_comes_back(bench: Bench) -> None:
    band = bench.add(Peripheral(services=[uart()]))
    left = asyncio.Event()
    client = BleakClient(band.address, disconnected_callback=lambda _: left.set())
    await client.connect()
    bench.unplug()
    await asyncio.wait_for(left.wait(), 2)
    await client.disconnect()
    with pytest.raises(BleakBluetoothNotAvailableError) as raised:
        await BleakScanner.discover(0.1)
    assert raised.value.reason is BleakBluetoothNotAvailableReason.NO_BLUETOOTH
    bench.plug()
    async with BleakClient(await find()):
        assert band.connected


async def test_bleak_does_not_notice_a_silent_end(bench: Bench) -> None:
    band = bench.add(Peripheral(services=[uart()]))
    client = BleakClient(band.address)
    await client.connect()
    bench.unplug(silently=True)
    await asyncio.sleep(0.05)
    assert client.is_connected
    assert not band.connected
    with pytest.raises(BleakDBusError):
        await client.write_gatt_char(WRITE, b"x", response=True)
    with pytest.raises(BleakDBusError):
        await client.disconnect()


async def test_the_adapter_is_switched_off(bench: Bench) -> None:
    band = bench.add(Peripheral(services=[uart()]))
    left = asyncio.Event()
    client = BleakClient(band.address, disconnected_callback=lambda _: left.set())
    await client.connect()
    bench.power(on=False)
    await asyncio.wait_for(left.wait(), 2)
    await client.disconnect()
    with pytest.raises(BleakBluetoothNotAvailableError) as raised:
        await BleakScanner.discover(0.1)
    assert raised.value.reason is BleakBluetoothNotAvailableReason.POWERED_OFF
    bench.power(on=True)
    assert (await find()).address == band.address


@pytest.mark.parametrize("crash", [False, True])
async def test_bluetoothd_restarts(bench: Bench, crash: bool) -> None:
    band = bench.add(Peripheral(services=[uart()]))
    client = BleakClient(band.address)
    await client.connect()
    bench.stop_bluetoothd(crash=crash)
    assert not band.connected
    await asyncio.sleep(0.05)
    assert client.is_connected == crash  # nobody told bleak
    if crash:
        with pytest.raises(BleakDBusError) as raised:
            await client.write_gatt_char(WRITE, b"x", response=True)
        assert raised.value.dbus_error == "org.freedesktop.DBus.Error.ServiceUnknown"
        with pytest.raises(BleakDBusError):
            await client.disconnect()
    else:
        await client.disconnect()
    bench.start_bluetoothd()
    async with BleakClient(await find()):
        assert band.connected


async def test_the_bus_ends(bench: Bench) -> None:
    band = bench.add(Peripheral(services=[uart()]))
    left = asyncio.Event()
    client = BleakClient(band.address, disconnected_callback=lambda _: left.set())
    await client.connect()
    bench.stop_bus()
    await asyncio.wait_for(left.wait(), 2)
    await client.disconnect()
    with pytest.raises(OSError):  # noqa: PT011 - whichever the system has for it
        await BleakScanner.discover(0.1)


async def test_nothing_to_talk_to(bench: Bench) -> None:
    bench.unplug()
    with pytest.raises(BleakBluetoothNotAvailableError) as raised:
        await BleakScanner.discover(0.1)
    assert raised.value.reason is BleakBluetoothNotAvailableReason.NO_BLUETOOTH


@pytest.mark.usefixtures("no_dbus")
async def test_no_dbus() -> None:
    with pytest.raises(FileNotFoundError):
        await BleakScanner.discover(0.1)


async def test_no_bluetoothd(bench: Bench) -> None:
    bench.stop_bluetoothd()
    with pytest.raises(BleakDBusError) as raised:
        await BleakScanner.discover(0.1)
    assert raised.value.dbus_error == "org.freedesktop.DBus.Error.ServiceUnknown"


async def test_no_permission(bench: Bench) -> None:
    bench.bluez.denied = True
    with pytest.raises(BleakDBusError) as raised:
        await BleakScanner.discover(0.1)
    assert raised.value.dbus_error == "org.freedesktop.DBus.Error.AccessDenied"

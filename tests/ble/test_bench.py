"""The bench itself is right: what bleak finds on it is what BlueZ would show."""

from __future__ import annotations

import pytest
from bleak import BleakClient, BleakScanner

from tests.ble.bench import Bench, until
from tests.ble.peripheral import Characteristic, Peripheral, Service

NUS = "6e400001-b5a3-f393-e0a9-e50e24dcca9e"
WRITE, NOTIFY = "6e400002-b5a3-f393-e0a9-e50e24dcca9e", "6e400003-b5a3-f393-e0a9-e50e24dcca9e"
LEVEL = "00002a19-0000-1000-8000-00805f9b34fb"


def uart(written: list[bytes]) -> Service:
    flags = ["write", "write-without-response"]
    return Service(
        NUS, [Characteristic(WRITE, flags, on_write=written.append), Characteristic(NOTIFY, ["notify"])]
    )


async def test_scans_connects_reads_writes_hears(bench: Bench) -> None:
    written: list[bytes] = []
    battery = Service("0000180f-0000-1000-8000-00805f9b34fb", [Characteristic(LEVEL, ["read"], b"\x63")])
    band = bench.add(Peripheral("Band", services=[uart(written), battery], manufacturer={0x59: b"ab"}))
    found = await BleakScanner.discover(0.1, return_adv=True)
    device, advertisement = found[band.address]
    assert (device.name, advertisement.manufacturer_data) == ("Band", {0x59: b"ab"})
    got: list[bytes] = []
    left: list[object] = []
    async with BleakClient(device, disconnected_callback=left.append) as client:
        assert band.connected
        assert await client.read_gatt_char(LEVEL) == b"\x63"
        await client.write_gatt_char(WRITE, b"hello", response=True)
        await client.write_gatt_char(WRITE, b"world", response=False)
        assert written == [b"hello", b"world"]
        await client.start_notify(NOTIFY, lambda _, value: got.append(bytes(value)))
        assert band.notify(NOTIFY, b"one")
        await until(lambda: got == [b"one"])
        assert not left
    assert left
    assert not band.connected


@pytest.mark.parametrize("direct", [False, True])
async def test_hears_everything(bench: Bench, direct: bool) -> None:
    band = bench.add(Peripheral(services=[uart([])], capacity=5000))
    got: list[bytes] = []
    async with BleakClient(band.address) as client:
        options = {"use_start_notify": not direct}
        await client.start_notify(NOTIFY, lambda _, value: got.append(bytes(value)), bluez=options)
        for number in range(200):
            assert band.notify(NOTIFY, number.to_bytes(4, "little"))
        await until(lambda: len(got) == 200)
    assert [int.from_bytes(value, "little") for value in got] == [*range(200)]

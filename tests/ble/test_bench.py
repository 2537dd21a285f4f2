"""The bench itself is right: what bleak finds on it is what BlueZ would show, on either bus."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable

import pytest
from bleak import BleakClient, BleakScanner
from bleak.backends.device import BLEDevice
from bleak.exc import BleakError, BleakGATTProtocolError

from tests.ble.bench import Bench, until
from tests.ble.bus import Bus, PrivateBus
from tests.ble.daemon import DAEMON, DaemonBus
from tests.ble.peripheral import BlueZError, Characteristic, Peripheral, Service

NUS = "6e400001-b5a3-f393-e0a9-e50e24dcca9e"
WRITE, NOTIFY = "6e400002-b5a3-f393-e0a9-e50e24dcca9e", "6e400003-b5a3-f393-e0a9-e50e24dcca9e"
BATTERY, LEVEL = "0000180f-0000-1000-8000-00805f9b34fb", "00002a19-0000-1000-8000-00805f9b34fb"


@pytest.fixture(params=[PrivateBus, DaemonBus])
def make_bus(request: pytest.FixtureRequest) -> Callable[[], Bus]:
    if request.param is DaemonBus and DAEMON is None:
        pytest.skip("no dbus-daemon to hold our own bus against; apt install dbus")
    return request.param


def uart(written: list[bytes] | None = None) -> Service:
    flags = ["write", "write-without-response"]
    take = None if written is None else written.append
    return Service(NUS, [Characteristic(WRITE, flags, on_write=take), Characteristic(NOTIFY, ["notify"])])


def battery(**options: object) -> Service:
    return Service(BATTERY, [Characteristic(LEVEL, ["read", "notify"], b"\x63", **options)])


async def listen(client: BleakClient, got: list[bytes], *, start_notify: bool = True) -> None:
    options = {"use_start_notify": start_notify}
    await client.start_notify(NOTIFY, lambda _, value: got.append(bytes(value)), bluez=options)


async def find(name: str = "Band") -> BLEDevice:
    """Scan until it is found; what the bench did may not have come to bleak's ears yet."""
    async with asyncio.timeout(5):
        while True:
            try:
                if (device := await BleakScanner.find_device_by_name(name, 1.0)) is not None:
                    return device
            except BleakError:
                await asyncio.sleep(0.01)


async def test_scans_connects_reads_writes_hears(bench: Bench) -> None:
    written: list[bytes] = []
    band = bench.add(Peripheral(services=[uart(written), battery()], manufacturer={0x59: b"ab"}))
    found = await BleakScanner.discover(0.1, return_adv=True)
    device, advertisement = found[band.address]
    assert (device.name, advertisement.manufacturer_data) == ("Band", {0x59: b"ab"})
    assert set(advertisement.service_uuids) == {NUS, BATTERY}
    assert band.rssi - 1 <= advertisement.rssi <= band.rssi
    got: list[bytes] = []
    left: list[object] = []
    async with BleakClient(device, disconnected_callback=left.append) as client:
        assert band.connected
        assert await client.read_gatt_char(LEVEL) == b"\x63"
        await client.write_gatt_char(WRITE, b"hello", response=True)
        await client.write_gatt_char(WRITE, b"world", response=False)
        assert written == [b"hello", b"world"]
        await listen(client, got)
        assert band.notify(NOTIFY, b"one")
        await until(lambda: got == [b"one"])
        await client.stop_notify(NOTIFY)
        assert not band.notify(NOTIFY, b"two")
        assert not left
    assert left
    assert not band.connected
    assert (band.ledger.made, band.ledger.sent, band.ledger.unheard) == (2, 1, 1)


async def test_filters_by_service(bench: Bench) -> None:
    band = bench.add(Peripheral(services=[uart()]))
    bench.add(Peripheral("Other", "C0:FF:EE:00:00:02", [battery()]))
    nameless = bench.add(Peripheral("", "C0:FF:EE:00:00:03", [uart()]))
    silent = bench.add(Peripheral("Silent", "C0:FF:EE:00:00:04", [uart()]))
    silent.advertising = False
    found = await BleakScanner.discover(0.2, service_uuids=[NUS])
    assert {(device.address, device.name) for device in found} == {
        (band.address, "Band"),
        (nameless.address, None),
    }


@pytest.mark.parametrize("start_notify", [True, False])
async def test_hears_everything_in_order(bench: Bench, start_notify: bool) -> None:
    band = bench.add(Peripheral(services=[uart()], capacity=5000))
    got: list[bytes] = []
    async with BleakClient(band.address) as client:
        await listen(client, got, start_notify=start_notify)
        for number in range(300):
            assert band.notify(NOTIFY, number.to_bytes(4, "little"))
            # The socket of AcquireNotify holds some hundred; what does not fit is lost, as it is with BlueZ.
            if number % 50 == 49:
                await until(lambda number=number: len(got) == number + 1)
    assert [int.from_bytes(value, "little") for value in got] == [*range(300)]
    assert band.lost == []


async def test_a_blocked_loop_costs_nothing_unless_the_socket_is_acquired(bench: Bench) -> None:
    lost = {}
    for start_notify in (True, False):
        band = bench.add(Peripheral("Band", f"C0:FF:EE:00:00:{start_notify:02}", [uart()], capacity=5000))
        got: list[bytes] = []
        async with BleakClient(band.address) as client:
            await listen(client, got, start_notify=start_notify)
            for _ in range(1000):
                band.notify(NOTIFY, bytes(20))
            deadline = time.monotonic() + 5
            while band.waiting and time.monotonic() < deadline:
                time.sleep(0.01)  # noqa: ASYNC251 - to block the loop is the point
            await until(lambda: len(got) + band.ledger.unread == 1000)  # noqa: B023 - not kept
        lost[start_notify] = band.ledger.unread
    assert lost[True] == 0
    assert lost[False] > 0


@pytest.mark.parametrize(("mtu", "payload"), [(247, 244), (23, 20), (0, 20)])
async def test_tells_the_mtu(bench: Bench, mtu: int, payload: int) -> None:
    written: list[bytes] = []
    band = bench.add(Peripheral(services=[uart(written)], mtu=mtu))
    async with BleakClient(band.address) as client:
        write = client.services.get_characteristic(WRITE)
        assert write is not None
        assert write.max_write_without_response_size == payload
        await client.write_gatt_char(write, bytes(payload), response=False)
        with pytest.raises(BleakError):
            await client.write_gatt_char(write, bytes(payload + 1), response=False)
        await client.write_gatt_char(write, bytes(payload + 1), response=True)  # in parts, by itself
        await listen(client, [])
        assert band.notify(NOTIFY, bytes(payload))
        with pytest.raises(ValueError, match=f"holds {payload} bytes"):
            band.notify(NOTIFY, bytes(payload + 1))
    assert [len(value) for value in written] == [payload, payload + 1]


async def test_the_mtu_is_of_the_connection(bench: Bench) -> None:
    band = bench.add(Peripheral(services=[uart()]))
    for mtu in (247, 100, 517):
        band.mtu = mtu
        async with BleakClient(band.address) as client:
            write = client.services.get_characteristic(WRITE)
            assert write is not None
            assert write.max_write_without_response_size == mtu - 3


async def use_with_a_fault(bench: Bench) -> None:
    def fail(_: bytes) -> None:
        raise ZeroDivisionError

    band = bench.add(Peripheral(services=[Service(NUS, [Characteristic(WRITE, ["write"], on_write=fail)])]))
    async with BleakClient(band.address) as client:
        with pytest.raises(BleakError, match="ZeroDivisionError"):
            await client.write_gatt_char(WRITE, b"x", response=True)


@pytest.mark.usefixtures("tidy_bleak")
async def test_a_fault_of_a_test_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ZeroDivisionError), Bench() as bench:  # noqa: PT012 - raised at its end
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", bench.address)
        await use_with_a_fault(bench)


async def test_a_queue_overflows_while_the_link_repeats(bench: Bench) -> None:
    band = bench.add(Peripheral(services=[uart()], capacity=8))
    got: list[bytes] = []
    async with BleakClient(band.address) as client:
        await listen(client, got)
        band.notify(NOTIFY, b"\xff")
        await until(lambda: got)
        band.hold(60)
        queued = [number for number in range(20) if band.notify(NOTIFY, bytes([number]))]
        band.hold(0)
        await until(lambda: not band.waiting and len(got) == len(queued) + 1)
    assert 8 <= len(queued) <= 9  # one may have been under way
    assert [value[0] for value in got[1:]] == queued
    assert band.ledger.overflowed == 20 - len(queued) == len(band.lost)


async def test_keeps_to_its_connection_events(bench: Bench) -> None:
    band = bench.add(Peripheral(services=[uart()], capacity=100, interval=0.03, per_interval=4))
    got: list[float] = []
    async with BleakClient(band.address) as client:
        await client.start_notify(NOTIFY, lambda *_: got.append(time.monotonic()))
        for _ in range(24):
            assert band.notify(NOTIFY, b"x")
        await until(lambda: len(got) == 24)
    assert got[-1] - got[0] > 0.13  # five intervals lie between six events; less what the scheduler took


async def test_reads_go_on_while_busy_and_tell_att_errors(bench: Bench) -> None:
    service = battery(on_read=lambda: b"\x07")
    band = bench.add(Peripheral(services=[service]))
    async with BleakClient(band.address) as client:
        service.characteristics[0].failures += [BlueZError("InProgress", "In Progress"), 0x11]
        with pytest.raises(BleakGATTProtocolError) as raised:
            await client.read_gatt_char(LEVEL)
        assert raised.value.code == 0x11
        assert await client.read_gatt_char(LEVEL) == b"\x07"
        with pytest.raises(BleakGATTProtocolError):
            await client.write_gatt_char(LEVEL, b"x", response=True)


async def test_another_process_finds_it(bench: Bench) -> None:
    bench.add(Peripheral(services=[uart()]))
    code = "import asyncio, bleak; print(*[d.name for d in asyncio.run(bleak.BleakScanner.discover(0.1))])"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    assert out.decode().split() == ["Band"]


async def test_loses_nothing_of_a_thousand_notifications_a_second(bench: Bench) -> None:
    band = bench.add(Peripheral(services=[uart()], capacity=50))
    got: list[int] = []
    async with BleakClient(band.address) as client:
        await client.start_notify(NOTIFY, lambda _, value: got.append(int.from_bytes(value[:4], "little")))
        start = time.monotonic()
        for number in range(1000):
            await asyncio.sleep(start + number / 1000 - time.monotonic())
            assert band.notify(NOTIFY, number.to_bytes(4, "little") + bytes(240), patience=1.0)
        await until(lambda: len(got) == 1000)
    assert got == [*range(1000)]

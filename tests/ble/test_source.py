"""Wearables over BLE, through bleak's own BlueZ backend."""

from __future__ import annotations

import asyncio
import itertools
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
from bleak import BleakClient, BleakScanner
from img2imu_bridge.virtual.options import VirtualOptions

import img2imu_edge as i2e
from img2imu_edge.recording import Recording
from tests.ble.bench import Bench
from tests.ble.peripheral import Characteristic, Failure, Peripheral, Service
from tests.ble.wearable import Wearable

ADDRESS = "C0:FF:EE:00:00:01"
BATTERY, LEVEL = "0000180f-0000-1000-8000-00805f9b34fb", "00002a19-0000-1000-8000-00805f9b34fb"
MOTION = "00030002-78fc-48fe-8e23-433b3a1942d0"
SERVICE = "00030000-78fc-48fe-8e23-433b3a1942d0"


def wearable(bench: Bench, recording: Recording, speed: float = 40, **peripheral: object) -> Wearable:
    options = VirtualOptions(speed=speed)
    band = bench.add(Wearable(recording, options, address=ADDRESS, **peripheral))
    band.play()
    return band


async def gather(url: str) -> tuple[i2e.Source, list[i2e.SampleBlock]]:
    async with i2e.open_source(url) as source:
        return source, [block async for block in source]


@pytest.mark.parametrize("mtu", [23, 247])
async def test_every_sample_arrives_whatever_the_mtu(mtu: int, bench: Bench, run: Recording) -> None:
    band = wearable(bench, run, mtu=mtu)
    source, blocks = await gather(f"ble://{ADDRESS}")
    ledger = band.finish()
    times = np.concatenate([block.times for block in blocks])
    values = np.concatenate([block.values for block in blocks])
    assert ledger.samples_made == len(times) == len(run)
    assert source.stats.samples_lost == 0
    np.testing.assert_allclose(times - times[0], run.times - run.times[0], atol=1e-3)
    np.testing.assert_allclose(values, run.values, atol=0.01)


async def test_a_band_is_found_by_its_name(bench: Bench, run: Recording) -> None:
    short = replace(run, times=run.times[:100], values=run.values[:100])
    band = wearable(bench, short, name="My Band")
    source, blocks = await gather("ble:my%20band?scan=3")
    band.finish()
    assert source.info.rate == run.rate
    assert sum(map(len, blocks)) == 100


async def test_the_battery_is_told_and_kept_current(bench: Bench, run: Recording) -> None:
    level = Characteristic(LEVEL, ["read", "notify"], b"\x63")
    band = wearable(bench, run, speed=2, services=[Service(BATTERY, [level])])
    async with i2e.open_source(f"ble://{ADDRESS}") as source:
        seen: list[int | None] = []
        async for _ in source:
            if source.stats.battery not in seen:
                seen.append(source.stats.battery)
                if source.stats.battery == 99:
                    band.notify(LEVEL, b"\xff")  # no percentage
                    band.notify(LEVEL, b"\x50")
            if seen[-1] == 80:
                break
        assert seen == [None, 99, 80]
    band.finish()


async def test_a_device_whose_battery_cannot_be_read_streams_all_the_same(
    bench: Bench, run: Recording
) -> None:
    level = Characteristic(LEVEL, ["read"], b"\x63", secure=True)  # needs a bond
    band = wearable(bench, run, speed=8, services=[Service(BATTERY, [level])])
    source, blocks = await gather(f"ble://{ADDRESS}")
    assert band.finish().samples_made == sum(map(len, blocks)) == len(run)
    assert source.stats.battery is None


async def test_disconnects_are_gaps_counted_to_the_sample(bench: Bench, run: Recording) -> None:
    band = wearable(bench, run, speed=4)

    async def interrupt() -> None:
        for _ in range(3):
            await asyncio.sleep(1.2)
            await asyncio.to_thread(band.drop)

    interrupting = asyncio.create_task(interrupt())
    source, blocks = await gather(f"ble://{ADDRESS}")
    await interrupting
    ledger = band.finish()
    assert source.stats.reconnects == 3
    received = sum(map(len, blocks))
    assert received + sum(block.lost for block in blocks) == ledger.samples_made
    assert source.stats.samples_lost == ledger.samples_made - received
    index = np.rint(np.concatenate([block.times for block in blocks]) * run.rate).astype(int)
    values = np.concatenate([block.values for block in blocks])
    assert len(set(index)) == len(index)
    np.testing.assert_allclose(values, run.values[index - index[0]], atol=0.01)


@pytest.mark.parametrize("failure", [Failure.ABORTED, Failure.IN_PROGRESS, Failure.TIMED_OUT])
async def test_a_link_that_breaks_while_it_is_made_is_made_again(
    failure: Failure, bench: Bench, run: Recording
) -> None:
    short = replace(run, times=run.times[:100], values=run.values[:100])
    band = wearable(bench, short)
    band.connect_failures += [failure, failure]
    _, blocks = await gather(f"ble://{ADDRESS}")
    band.finish()
    assert sum(map(len, blocks)) == 100


@pytest.mark.parametrize(
    ("failure", "advice"),
    [
        (Failure.AUTHENTICATION, f"bluetoothctl remove {ADDRESS}"),
        (Failure.KEY_MISSING, f"bluetoothctl remove {ADDRESS}"),
        (Failure.NOT_READY, "bluetoothctl power on"),
        (Failure.ABORTED, "go nearer"),
    ],
)
async def test_each_failure_comes_with_its_advice(
    failure: Failure, advice: str, bench: Bench, run: Recording
) -> None:
    band = bench.add(Wearable(run, address=ADDRESS))
    band.connect_failures.append(failure)
    with pytest.raises(i2e.SourceError, match=advice):
        await gather(f"ble://{ADDRESS}?tries=1&profile=img2imu")


async def test_nobody_of_that_name_is_told_with_who_there_is(bench: Bench, run: Recording) -> None:
    bench.add(Peripheral("Kettle", "C0:FF:EE:00:00:09", []))
    with pytest.raises(i2e.SourceError, match=r"nobody of the name Band .*heard Kettle"):
        await gather("ble:Band?scan=1&tries=1")


async def test_without_an_adapter(bench: Bench) -> None:
    bench.unplug()
    with pytest.raises(i2e.SourceError, match="adapter"):
        await gather(f"ble://{ADDRESS}?scan=1&tries=1")


async def test_without_any_bluetooth(no_dbus: None) -> None:
    with pytest.raises(i2e.SourceError, match="apt install bluez"):
        await gather(f"ble://{ADDRESS}?scan=1&tries=1")


async def test_a_link_without_a_bond_is_refused_where_encryption_is_required(
    bench: Bench, run: Recording
) -> None:
    bench.add(Wearable(run, address=ADDRESS))
    with pytest.raises(i2e.SourceError, match=f"bluetoothctl pair {ADDRESS}"):
        await gather(f"ble://{ADDRESS}?require_encryption=1&tries=1")


def pinetime(bench: Bench) -> tuple[Peripheral, Characteristic]:
    motion = Characteristic(MOTION, ("read", "notify"))
    return bench.add(Peripheral("InfiniTime", ADDRESS, [Service(SERVICE, [motion])])), motion


async def test_a_device_of_another_maker_is_recognised_and_decoded(bench: Bench) -> None:
    watch, motion = pinetime(bench)

    def play(count: int) -> None:
        while not motion.subscribed:
            time.sleep(0.01)
        for n in range(count):
            watch.notify(MOTION, np.array([n, -n, 1024], "<i2").tobytes())
            time.sleep(0.02)

    playing = asyncio.create_task(asyncio.to_thread(play, 60))
    async with i2e.open_source(f"ble://{ADDRESS}") as source:
        assert source.info.channels == ("acc_x", "acc_y", "acc_z")
        assert source.info.rate == 10
        values = []
        async for block in source:
            values += block.values.tolist()
            if len(values) >= 50:
                break
    await playing
    heard = np.array(values)
    np.testing.assert_allclose(heard[:, 2], 9.80665, rtol=1e-6)
    np.testing.assert_allclose(heard[:, 0] * 1024 / 9.80665, np.arange(len(heard)), atol=1e-3)
    assert not motion.subscribed


async def test_what_comes_twice_counts_once_and_damaged_packets_cost_nothing(bench: Bench) -> None:
    data = Characteristic("0000ff08-0000-1000-8000-00805f9b34fb", ("notify",))
    told = Characteristic("0000ff0e-0000-1000-8000-00805f9b34fb", ("read",), bytes([0x59, 0, 4, 0, 8, 16, 0]))
    orders: list[bytes] = []
    control = Characteristic("0000ff07-0000-1000-8000-00805f9b34fb", ("write",), on_write=orders.append)
    service = Service("0000ff06-0000-1000-8000-00805f9b34fb", [data, told, control])
    ear = bench.add(Peripheral("eSense-0042", ADDRESS, [service]))

    def play() -> None:
        while not orders:
            time.sleep(0.01)
        for n in range(300):  # the packet number wraps
            body = np.array([0, 0, 655, 4096, 0, -4096], ">i2").tobytes()
            packet = bytes([0x55, n % 256, 0, 12]) + body
            for _ in range(1 + (n % 10 == 0)):
                ear.notify(data.uuid, packet)
            if n % 50 == 7:
                ear.notify(data.uuid, packet[:9])
            time.sleep(0.002)

    playing = asyncio.create_task(asyncio.to_thread(play))
    async with i2e.open_source("ble:eSense-0042?rate=100&profile=esense") as source:
        blocks = []
        async for block in source:
            blocks.append(block)
            if sum(map(len, blocks)) >= 299:
                break
    await playing
    assert orders == [
        bytes.fromhex("536702 0164".replace(" ", "")),
        bytes.fromhex("536602 0064".replace(" ", "")),
    ]
    assert source.stats.samples_lost == 0
    assert source.stats.duplicates == 30
    assert source.stats.corrupt == 6
    values = np.concatenate([block.values for block in blocks])
    np.testing.assert_allclose(values[:, 2], np.radians(10), rtol=1e-3)  # ±500 °/s: 65.5 counts
    np.testing.assert_allclose(values[:, 3], 9.80665, rtol=1e-6)  # ±8 g: 4096 counts


async def test_a_silent_death_and_a_return_are_one_gap(bench: Bench) -> None:
    watch, motion = pinetime(bench)
    stop = asyncio.Event()

    def play() -> None:
        for n in itertools.count():
            if stop.is_set():
                return
            if motion.subscribed:
                watch.notify(MOTION, np.array([n % 1000, 0, 1024], "<i2").tobytes())
            time.sleep(0.02)

    playing = asyncio.create_task(asyncio.to_thread(play))
    async with i2e.open_source(f"ble://{ADDRESS}") as source:
        times: list[float] = []
        async for block in source:
            times += block.times.tolist()
            if len(times) == 40:
                await asyncio.to_thread(watch.drop)
            if len(times) >= 80:
                break
    stop.set()
    await playing
    assert source.stats.reconnects == 1
    assert np.all(np.diff(times) > 0)


async def test_stale_services_are_forgotten_and_found_anew(bench: Bench, run: Recording) -> None:
    """The system remembers an old firmware's services: it is made to forget, and finds the new ones."""
    short = replace(run, times=run.times[:100], values=run.values[:100])
    band = bench.add(Wearable(short, VirtualOptions(speed=40), address=ADDRESS))
    new = list(band.services)
    old = Characteristic("0000dfb1-0000-1000-8000-00805f9b34fb", ("write",))
    band.change_services([Service("0000dfb0-0000-1000-8000-00805f9b34fb", [old])])
    with pytest.raises(i2e.SourceError, match="another device, or does it need its app"):
        await gather(f"ble://{ADDRESS}?profile=img2imu&tries=1")
    async with BleakClient(await BleakScanner.find_device_by_address(ADDRESS)):
        pass  # now the system has seen the old services
    band.stale = True
    band.change_services(new, indicate=False)
    band.play()
    _, blocks = await gather(f"ble://{ADDRESS}?profile=img2imu")
    band.finish()
    assert sum(map(len, blocks)) == 100


async def test_a_device_that_a_killed_process_left_connected_is_found(bench: Bench, run: Recording) -> None:
    short = replace(run, times=run.times[:100], values=run.values[:100])
    band = bench.add(Wearable(short, VirtualOptions(speed=40), address=ADDRESS))
    code = (
        "import asyncio, os\n"
        "from bleak import BleakClient, BleakScanner\n"
        "async def main():\n"
        f"    client = BleakClient(await BleakScanner.find_device_by_address({ADDRESS!r}))\n"
        "    await client.connect()\n"
        "    os._exit(9)\n"
        "asyncio.run(main())\n"
    )
    await asyncio.to_thread(subprocess.run, [sys.executable, "-c", code], check=False, timeout=60)
    assert band.connected
    band.play()
    _, blocks = await gather(f"ble://{ADDRESS}?scan=1")
    band.finish()
    assert sum(map(len, blocks)) == 100


@pytest.mark.parametrize("crash", [False, True])
async def test_the_bluetooth_service_goes_and_comes_back(crash: bool, bench: Bench, run: Recording) -> None:
    """bleak does not notice a crash; the silence does."""
    band = wearable(bench, run, speed=2)
    async with i2e.open_source(f"ble://{ADDRESS}?scan=2") as source:
        received = 0
        async for block in source:
            received += len(block)
            if received > 100 and not source.stats.reconnects:
                await asyncio.to_thread(bench.stop_bluetoothd, crash=crash)
                await asyncio.to_thread(bench.start_bluetoothd)
                received = -10_000
            if source.stats.reconnects and received > -9_900:
                break
    assert source.stats.reconnects == 1
    assert band.connections == 2

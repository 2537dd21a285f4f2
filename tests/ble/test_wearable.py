"""The virtual wearable over GATT: every sample that it made arrives once, or one of its ledgers has it."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from bleak import BleakClient
from bleak.exc import BleakError
from img2imu_bridge.virtual.ledger import Ledger
from img2imu_bridge.virtual.options import VirtualOptions
from img2imu_bridge.wire.messages import (
    Control,
    Data,
    Info,
    InfoAssembler,
    InfoPart,
    Request,
    decode,
    encode_control,
)

from img2imu_edge.recording import Recording
from tests.ble.bench import Bench, until
from tests.ble.wearable import NUS_NOTIFY, NUS_WRITE, Wearable


class Host:
    """Knows no more than the protocol's document: asks, starts, listens, connects again."""

    def __init__(self, wearable: Wearable) -> None:
        self.data: list[Data] = []
        self.infos: list[Info] = []
        self._wearable = wearable
        self._messages: asyncio.Queue[bytes] = asyncio.Queue()

    async def hear_out(self) -> Ledger:
        """Listen until the wearable says that it has stopped."""
        self._wearable.play()
        async with asyncio.timeout(20):
            while not self._over:
                try:
                    await self._connect()
                except BleakError:
                    await asyncio.sleep(0.01)
        return await asyncio.to_thread(self._wearable.finish)

    async def _connect(self) -> None:
        left = asyncio.Event()
        async with BleakClient(self._wearable.address, disconnected_callback=lambda _: left.set()) as client:
            await client.start_notify(NUS_NOTIFY, lambda _, value: self._messages.put_nowait(bytes(value)))
            for request in (Request.GET_INFO, Request.START):
                await client.write_gatt_char(NUS_WRITE, encode_control(Control(request, 1)), response=False)
            assembler = InfoAssembler()
            while not self._over and not (left.is_set() and self._messages.empty()):
                try:
                    message = decode(await asyncio.wait_for(self._messages.get(), 0.05))
                except TimeoutError:
                    continue
                if isinstance(message, Data):
                    self.data.append(message)
                elif isinstance(message, InfoPart) and (info := assembler.push(message)) is not None:
                    self.infos.append(info)
            if not left.is_set():
                stop = encode_control(Control(Request.STOP, 2))
                await client.write_gatt_char(NUS_WRITE, stop, response=True)

    @property
    def _over(self) -> bool:
        return bool(self.data and self.infos) and not self.infos[-1].streaming

    def samples(self) -> np.ndarray:
        return np.concatenate([np.frombuffer(data.payload, "<i2") for data in self.data]).reshape(-1, 6)

    def index(self) -> list[int]:
        return [data.seq + n for data in self.data for n in range(len(data.payload) // 12)]


@pytest.mark.parametrize(("mtu", "batch"), [(23, 1), (247, 19), (517, 40)])
async def test_plays_a_recording(bench: Bench, run: Recording, mtu: int, batch: int) -> None:
    wearable = bench.add(Wearable(run, VirtualOptions(speed=0, batch=40), mtu=mtu))
    host = Host(wearable)
    ledger = await host.hear_out()
    assert np.array_equal(host.samples(), wearable.tape.counts)
    assert max(len(data.payload) for data in host.data) == batch * 12
    assert host.infos[-1].next_index == ledger.samples_made == 1500
    assert wearable.lost == []


async def test_keeps_its_pace(bench: Bench, run: Recording) -> None:
    wearable = bench.add(Wearable(run, VirtualOptions(speed=30, batch=10), mtu=247))
    host = Host(wearable)
    start = asyncio.get_running_loop().time()
    ledger = await host.hear_out()
    assert asyncio.get_running_loop().time() - start > 1500 / 50 / 30
    assert ledger.samples_made == len(host.samples()) == 1500


async def test_a_slow_link_makes_its_queues_overflow(bench: Bench, run: Recording) -> None:
    link = {"interval": 0.03, "per_interval": 1, "capacity": 3}
    wearable = bench.add(Wearable(run, VirtualOptions(speed=100, batch=10, queue=4), **link))
    host = Host(wearable)
    ledger = await host.hear_out()
    assert ledger.samples_dropped > 500
    assert len(host.samples()) + ledger.samples_dropped + wearable.samples_lost == ledger.samples_made == 1500
    assert np.array_equal(host.samples(), wearable.tape.counts[host.index()])


async def test_goes_out_of_reach(bench: Bench, run: Recording) -> None:
    options = VirtualOptions(speed=0, batch=10, unplug_every_s=8, unplug_for_s=2)
    wearable = bench.add(Wearable(run, options))
    host = Host(wearable)
    ledger = await host.hear_out()
    assert ledger.unplugged == wearable.connections - 1 == 3
    assert ledger.samples_unplugged > 0
    assert len(host.samples()) + ledger.samples_unplugged == ledger.samples_made == 1500
    assert wearable.lost == []


async def test_the_link_breaks(bench: Bench, run: Recording) -> None:
    link = {"interval": 0.01, "per_interval": 4, "capacity": 32}
    wearable = bench.add(Wearable(run, VirtualOptions(speed=100, batch=10), **link))
    host = Host(wearable)
    listening = asyncio.create_task(host.hear_out())
    await until(lambda: len(host.data) > 20)
    wearable.hold(60)
    await until(lambda: wearable.waiting > 4)
    wearable.drop()
    wearable.hold(0)
    ledger = await listening
    assert wearable.samples_lost > 0
    assert wearable.connections == 2
    assert len(host.samples()) + wearable.samples_lost == ledger.samples_made == 1500
    assert np.array_equal(host.samples(), wearable.tape.counts[host.index()])

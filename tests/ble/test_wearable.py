"""The virtual wearable over GATT: every sample that it made arrives, or is in its ledger."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from bleak import BleakClient
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
from tests.ble.bench import Bench
from tests.ble.wearable import NUS_NOTIFY, NUS_WRITE, Wearable

RECORDING_ROWS = 600


@pytest.fixture
def run(recording: Recording) -> Recording:
    return recording


async def hear_out(wearable: Wearable) -> tuple[list[Data], list[Info]]:
    """Be a host that knows no more than the protocol's document."""
    messages: asyncio.Queue[bytes] = asyncio.Queue()
    data: list[Data] = []
    infos: list[Info] = []
    assembler = InfoAssembler()
    async with BleakClient(wearable.address) as client:
        await client.start_notify(NUS_NOTIFY, lambda _, value: messages.put_nowait(bytes(value)))
        await client.write_gatt_char(NUS_WRITE, encode_control(Control(Request.GET_INFO, 1)), response=False)
        await client.write_gatt_char(NUS_WRITE, encode_control(Control(Request.START, 2)), response=False)
        async with asyncio.timeout(20):
            while not (data and infos and not infos[-1].streaming):
                message = decode(await messages.get())
                if isinstance(message, Data):
                    data.append(message)
                elif isinstance(message, InfoPart) and (info := assembler.push(message)) is not None:
                    infos.append(info)
        await client.write_gatt_char(NUS_WRITE, encode_control(Control(Request.STOP, 3)), response=False)
        wearable.finish()
    return data, infos


@pytest.mark.parametrize(("mtu", "batch"), [(23, 1), (247, 19)])
async def test_plays_a_recording(bench: Bench, run: Recording, mtu: int, batch: int) -> None:
    wearable = bench.add(Wearable(run, VirtualOptions(speed=0, batch=40), mtu=mtu))
    wearable.play()
    data, infos = await hear_out(wearable)
    counts = np.concatenate([np.frombuffer(d.payload, "<i2") for d in data]).reshape(
        -1, wearable.tape.counts.shape[1]
    )
    assert np.array_equal(counts, wearable.tape.counts)
    assert max(len(d.payload) for d in data) == batch * wearable.tape.info.sample_size
    assert infos[-1].next_index == wearable.device.ledger.samples_made == len(counts)
    assert wearable.samples_lost == 0

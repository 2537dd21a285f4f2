"""Losing a device and finding it again; a consumer that is slow."""

from __future__ import annotations

import asyncio
import time

import numpy as np
import pytest
from img2imu_bridge.wire.framing import encode_frame
from img2imu_bridge.wire.messages import Request

from img2imu_edge.errors import SourceError
from tests.bridge.conftest import ScriptedDevice
from tests.bridge.test_supervisor_link import asked, collect, indices, source_of, take


async def test_what_was_sampled_meanwhile_is_an_exact_gap(device: ScriptedDevice) -> None:
    async with source_of(device) as source:
        stream = aiter(source)
        device.send_data(2)
        blocks = await take(stream, 20)
        device.unplug()
        device.data(25)
        device.plug()
        rest = asyncio.ensure_future(take(stream, 20))
        await asked(device, Request.START, 2)
        device.send_data(2)
        device.end()
        blocks += await rest
    assert indices(blocks) == [*range(20), *range(45, 65)]
    assert sum(b.lost for b in blocks) == source.stats.samples_lost == 25
    np.testing.assert_array_equal(np.concatenate([b.times for b in blocks]), np.array(indices(blocks)) / 50)
    assert source.stats.reconnects == 1
    assert "unplugged" in source.stats.warnings[0]


async def test_it_is_looked_for_until_it_is_there(device: ScriptedDevice) -> None:
    async with source_of(device) as source:
        device.unplug()
        looking = asyncio.ensure_future(collect(source))
        await asyncio.sleep(0.5)
        device.plug()
        await asked(device, Request.START, 2)
        device.send_data()
        device.end()
        assert indices(await looking) == list(range(10))
    assert source.stats.reconnects == 1


async def test_a_hung_device_is_opened_anew(device: ScriptedDevice) -> None:
    """The port stays; it is locked, so that opening it again works only if the dead one was closed first."""
    async with source_of(device) as source:
        device.send(device.data(1))
        device.mute[Request.GET_INFO] = 1
        looking = asyncio.ensure_future(collect(source))
        await asked(device, Request.START, 2)
        device.end()
        assert indices(await looking) == [0]
    assert source.stats.reconnects == 1
    assert any("does not answer" in warning for warning in source.stats.warnings)


async def test_never_reconnect(device: ScriptedDevice) -> None:
    async with source_of(device, reconnect=0) as source:
        device.unplug()
        with pytest.raises(SourceError, match=r"lost serial:.*unplugged"):
            await collect(source)
    assert source.stats.reconnects == 0


async def test_reconnect_so_often(device: ScriptedDevice) -> None:
    async with source_of(device, reconnect=1) as source:
        device.unplug()
        device.plug()
        losing = asyncio.ensure_future(collect(source))
        await asked(device, Request.START, 2)
        device.unplug()
        with pytest.raises(SourceError, match="unplugged"):
            await losing
    assert source.stats.reconnects == 1


async def test_give_up_after_a_while(device: ScriptedDevice) -> None:
    async with source_of(device, retry_for=0.4) as source:
        device.unplug()
        begin = time.monotonic()
        with pytest.raises(SourceError, match=r"Gave up after 0\.4 s: there is no port"):
            await collect(source)
        assert 0.4 <= time.monotonic() - begin < 2


async def test_a_device_that_dies_in_the_handshake_is_looked_for_again(device: ScriptedDevice) -> None:
    async with source_of(device) as source:
        device.unplug()
        device.plug()
        device.mute[Request.START] = 99
        looking = asyncio.ensure_future(collect(source))
        await asked(device, Request.START, 2)
        device.unplug()
        device.mute[Request.START] = 0
        device.plug()
        await asked(device, Request.START, 3)
        device.send_data()
        device.end()
        assert indices(await looking) == list(range(10))


async def test_a_slow_consumer_makes_the_reading_stop(device: ScriptedDevice) -> None:
    total = 8000
    async with source_of(device) as source:
        waiting = bytearray(b"".join(encode_frame(device.data()) for _ in range(total)))
        size = len(waiting)

        async def feed() -> None:
            while waiting:
                del waiting[: device.write(waiting[:4096])]
                await asyncio.sleep(0)

        feeding = asyncio.create_task(feed())
        await asyncio.sleep(0.5)
        taken = size - len(waiting)
        assert taken < size / 2  # the rest waits in the device, since nobody has asked for a sample yet
        blocks = []
        async for block in source:
            blocks.append(block)
            if feeding.done() and source.stats.samples_received == 10 * total:
                break
    assert indices(blocks) == [k % 30_000 for k in range(10 * total)]
    assert source.stats.samples_lost == 0

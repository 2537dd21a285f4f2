"""The supervisor's manners: what it asks, what it believes, and how it takes no for an answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from urllib.parse import urlsplit

import numpy as np
import pytest
from img2imu_bridge.sources.serial import open_serial
from img2imu_bridge.supervisor import LinkPolicy, WireSource
from img2imu_bridge.transports.serial import SerialTransport
from img2imu_bridge.wire.framing import encode_frame
from img2imu_bridge.wire.messages import Kind, Request, SensorInfo, StatusCode

from img2imu_edge.errors import SourceError
from img2imu_edge.samples import SampleBlock
from tests.bridge.conftest import ScriptedDevice


def source_of(device: ScriptedDevice, **policy: float) -> WireSource:
    policy = {"timeout": 1.5, "silence": 0.2, **policy}
    return WireSource(
        f"serial:{device.path}",
        lambda stats: SerialTransport(str(device.path), 115200, stats),
        LinkPolicy(**policy),
    )


async def collect(source: WireSource) -> list[SampleBlock]:
    return [block async for block in source]


async def take(stream: AsyncIterator[SampleBlock], samples: int) -> list[SampleBlock]:
    blocks = []
    while samples > 0:
        blocks.append(await anext(stream))
        samples -= len(blocks[-1])
    return blocks


async def asked(device: ScriptedDevice, kind: Request, times: int) -> None:
    """Wait until the device was asked so often."""
    while device.asked.count(kind) < times:  # noqa: ASYNC110 - the device is a thread of its own
        await asyncio.sleep(0.005)


def indices(blocks: list[SampleBlock]) -> list[int]:
    """Which samples came: their first axis counts them."""
    return np.rint(np.concatenate([b.values[:, 0] for b in blocks]) * 400).astype(int).tolist()


async def test_a_conversation(device: ScriptedDevice) -> None:
    source = source_of(device)
    async with source:
        assert source.info.name == "scripted"
        assert source.info.channels == ("acc_x", "acc_y", "acc_z")
        assert source.info.rate == 50
        begin = time.monotonic()
        device.send_data(3)
        device.end()
        blocks = await collect(source)
        assert await collect(source) == []  # it has ended for good
    assert device.asked == [Request.GET_INFO, Request.START, Request.STOP]
    assert indices(blocks) == list(range(30))
    assert np.concatenate([b.times for b in blocks]).tolist() == [k / 50 for k in range(30)]
    assert all(begin <= b.received <= time.monotonic() for b in blocks)
    assert (source.stats.samples_received, source.stats.samples_lost) == (30, 0)
    assert (source.stats.messages, source.stats.reconnects, source.stats.corrupt) == (3, 0, 0)


@pytest.mark.parametrize("kind", [Request.GET_INFO, Request.START])
async def test_what_is_not_answered_is_asked_again(device: ScriptedDevice, kind: Request) -> None:
    device.mute[kind] = 2
    async with source_of(device, timeout=3) as source:
        assert source.info.name == "scripted"
    assert device.asked.count(kind) == 3


async def test_a_late_second_answer_is_not_the_end(device: ScriptedDevice) -> None:
    async with source_of(device) as source:
        stream = aiter(source)
        device.send_data()
        await take(stream, 10)
        device.unplug()
        device.info = replace(device.info, streaming=False)  # as a device that pauses without a host does
        device.plug()
        device.on_start = device.send_data
        # Two INFOs that say "not streaming" before START is answered, as after a question asked twice.
        device.mute[Request.GET_INFO] = 1
        waiting = asyncio.ensure_future(take(stream, 10))
        await asked(device, Request.GET_INFO, 2)
        device.send_info()
        device.send_info()
        assert indices(await waiting) == list(range(10, 20))
        device.end()
        assert [b async for b in stream] == []
    assert (source.stats.samples_lost, source.stats.reconnects) == (0, 1)


async def test_data_that_precedes_the_answer_to_start_counts(device: ScriptedDevice) -> None:
    device.info = replace(device.info, streaming=True)
    device.mute[Request.START] = 1
    entering = asyncio.ensure_future(source_of(device).__aenter__())
    await asked(device, Request.START, 1)
    device.send_data(4)
    source = await entering
    device.end()
    assert indices(await collect(source)) == list(range(40))
    await source.__aexit__(None, None, None)


async def test_a_refusal_is_told(device: ScriptedDevice) -> None:
    device.code = StatusCode.BUSY
    with pytest.raises(SourceError, match="refuses START: BUSY"):
        async with source_of(device):
            pass


async def test_the_end_counts_a_lost_tail(device: ScriptedDevice) -> None:
    async with source_of(device) as source:
        device.send_data(2)
        device.data(10)
        device.data(7)
        device.end()
        assert indices(await collect(source)) == list(range(20))
    assert (source.stats.samples_received, source.stats.samples_lost) == (20, 17)


async def test_damaged_and_foreign_bytes_between_frames(device: ScriptedDevice) -> None:
    async with source_of(device) as source:
        device.send_data()
        frame = encode_frame(device.data())
        device.write(frame[: len(frame) // 2] + b"\0")  # cut short
        device.send_data()
        device.write(b"boot: hello\r\n\0")
        device.send(b"\x21\x00later version")
        device.send_data()
        device.end()
        blocks = await collect(source)
    assert indices(blocks) == [*range(10), *range(20, 40)]
    assert [b.lost for b in blocks if b.lost] == [10]
    assert (source.stats.samples_lost, source.stats.corrupt) == (10, 3)


async def test_frames_in_pieces(device: ScriptedDevice) -> None:
    async with source_of(device) as source:
        stream = b"".join(encode_frame(device.data()) for _ in range(5))
        for byte in stream:
            device.write(bytes([byte]))
            await asyncio.sleep(0.001)
        device.end()
        assert indices(await collect(source)) == list(range(50))


async def test_a_silent_device_that_lives_is_set_going_again(device: ScriptedDevice) -> None:
    async with source_of(device) as source:
        device.send(device.data(1))
        device.info = replace(device.info, streaming=False)  # it forgot that it was started
        device.on_start = lambda: (device.send_data(), device.end())  # type: ignore[func-returns-value]
        assert indices(await collect(source)) == list(range(11))
    assert device.asked[2:4] == [Request.GET_INFO, Request.START]
    assert source.stats.reconnects == 0


async def test_noise_alone_is_silence(device: ScriptedDevice) -> None:
    """Such as from a device that was set to another speed: bytes go on coming, and nothing is said."""

    async def hiss() -> None:
        while True:
            device.write(b"hiss\0")
            await asyncio.sleep(0.02)

    async with source_of(device) as source:
        device.send(device.data(1))
        device.info = replace(device.info, streaming=False)
        device.on_start = lambda: (device.send_data(), device.end())  # type: ignore[func-returns-value]
        hissing = asyncio.create_task(hiss())
        try:
            assert indices(await asyncio.wait_for(collect(source), 5)) == list(range(11))
        finally:
            hissing.cancel()
    assert device.asked[2:4] == [Request.GET_INFO, Request.START]
    assert source.stats.corrupt > 0
    assert source.stats.reconnects == 0


async def test_silence_is_judged_by_the_length_of_messages(device: ScriptedDevice) -> None:
    async with source_of(device, silence=0.05) as source:
        device.send(device.data(50))  # a second's worth: the next may be awaited for 20 s
        stream = aiter(source)
        await anext(stream)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(stream), 1.0)
        assert device.asked == [Request.GET_INFO, Request.START]


async def test_a_restart_under_the_connection(device: ScriptedDevice) -> None:
    async with source_of(device) as source:
        device.send_data(2)
        stream = aiter(source)
        blocks = await take(stream, 20)
        device.reboot(8)
        device.send_info()  # as every device does after power-up
        device.on_start = lambda: (device.send_data(2), device.end())  # type: ignore[func-returns-value]
        blocks += [b async for b in stream]
    assert indices(blocks) == [*range(20), *range(20)]
    times = np.concatenate([b.times for b in blocks])
    assert (np.diff(times) > 0).all()
    assert source.stats.reconnects == 0
    assert source.stats.warnings == [
        "the device restarted: what it sampled before and did not send cannot be counted"
    ]


async def test_a_restart_that_nobody_saw(device: ScriptedDevice) -> None:
    async with source_of(device) as source:
        device.send(device.data(1))
        device.reboot(8)
        device.on_start = lambda: (device.send_data(2), device.end())  # type: ignore[func-returns-value]
        assert indices(await collect(source)) == [0, *range(20)]
    assert source.stats.reconnects == 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"rate": 100.0}, "acc_x, acc_y, acc_z at 100 Hz now"),
        ({"sensors": (SensorInfo(Kind.ACC, 1, 400), SensorInfo(Kind.GYR, 1, 900))}, "gyr_z at 50 Hz now"),
    ],
)
@pytest.mark.parametrize("lost", [False, True])
async def test_another_kind_of_stream_is_an_error(
    device: ScriptedDevice, change: dict[str, object], words: str, lost: bool
) -> None:
    async with source_of(device) as source:
        device.send_data()
        stream = aiter(source)
        await anext(stream)
        device.info = replace(device.info, **change)  # type: ignore[arg-type]
        if lost:
            device.unplug()
            device.plug()
        else:
            device.send_info()
        with pytest.raises(SourceError, match=words):
            await anext(stream)


async def test_the_source_must_be_entered(device: ScriptedDevice) -> None:
    source = open_serial(urlsplit(f"serial:{device.path}"))
    with pytest.raises(SourceError, match="never connected"):
        _ = source.info
    with pytest.raises(SourceError, match="never connected"):
        await collect(source)
    async with source:
        pass
    with pytest.raises(SourceError, match="is closed"):
        await collect(source)


async def test_cancelling_says_stop_and_frees_the_port(device: ScriptedDevice) -> None:
    async def run() -> None:
        async with source_of(device) as source:
            await collect(source)

    task = asyncio.create_task(run())
    await asked(device, Request.START, 1)
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert device.asked[-1] is Request.STOP
    async with source_of(device):  # not busy
        pass


async def test_cancelling_the_connecting_frees_the_port(device: ScriptedDevice) -> None:
    device.mute[Request.GET_INFO] = 99
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(source_of(device).__aenter__(), 0.1)
    device.mute[Request.GET_INFO] = 0
    async with source_of(device):
        pass


async def test_a_device_is_asked_for_the_rate_that_is_wanted(device: ScriptedDevice) -> None:
    async with open_serial(urlsplit(f"serial:{device.path}?rate=100")) as source:
        assert source.info.rate == 100
    assert device.asked.count(Request.SET_RATE) == 1
    assert device.info.rate == 100

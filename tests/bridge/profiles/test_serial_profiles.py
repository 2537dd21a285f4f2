"""Serial devices of other makers, on genuine ports: whatever is on the wire, samples are right or counted."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import pty
import time
import tty
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from img2imu_bridge.profiles import Decoder, Packet, Stream, Wishes
from img2imu_bridge.profiles.csv_lines import CsvLines, Lines
from img2imu_bridge.profiles.pace import Pace, nominal
from img2imu_bridge.profiles.registry import find_profile
from img2imu_bridge.profiles.witmotion_serial import Frames, WitMotionDecoder
from img2imu_bridge.sources import profile as profile_source

from img2imu_edge.errors import SourceError
from img2imu_edge.samples import STANDARD_GRAVITY, SampleBlock
from img2imu_edge.source import Source, open_source

AT_REST = bytes.fromhex("55 51 00 00 00 00 00 08 c4 09 7b")
"""1 g upwards at 25 °C, summed by hand: 55 + 51 + 08 + c4 + 09 = 17b."""

TURNING = bytes.fromhex("55 52 00 40 00 c0 00 00 c4 09 74")
"""1000 °/s about x, -1000 °/s about y; 55 + 52 + 40 + c0 + c4 + 09 = 274."""

NOON = bytes.fromhex("55 50 17 02 1c 0c 00 00 f4 01 db")
"""28 February 2023, 12:00:00.500; 55 + 50 + 17 + 02 + 1c + 0c + f4 + 01 = 1db."""


def frame(kind: int, numbers: list[int]) -> bytes:
    body = bytes((0x55, kind)) + np.array(numbers, "<i2").tobytes()
    return body + bytes((sum(body) & 0xFF,))


def wit(first: int, count: int) -> bytes:
    """Samples whose first axis counts them, each with an angle that nobody needs."""
    return b"".join(
        frame(0x51, [k, 0, 2048, 2500]) + frame(0x52, [-k, 0, 0, 2500]) + frame(0x53, [k, k, k, k])
        for k in range(first, first + count)
    )


def csv(first: int, count: int, axes: int = 3, by: str = ",") -> bytes:
    rows = ([k / 8, 0.0, 9.75, 0.5, -0.25, 1.0][:axes] for k in range(first, first + count))
    return b"".join(f"{by.join(map(str, row))}\r\n".encode() for row in rows)


class Wire:
    """A device: what it is told to send, and what it was written."""

    def __init__(self, sent: list[bytes]) -> None:
        self.sent, self.written = sent, b""

    async def answer(self, characteristic: str, seconds: float) -> bytes:
        if not self.sent:
            raise SourceError("nothing came")
        await asyncio.sleep(0)
        return self.sent.pop(0)

    async def write(self, characteristic: str, value: bytes, *, response: bool = True) -> None:
        self.written += value

    async def read(self, characteristic: str) -> bytes:
        raise AssertionError

    async def subscribe(self, characteristic: str) -> None:
        raise AssertionError


async def started(decoder: Decoder, sent: bytes, wishes: Wishes) -> tuple[Stream, ...]:
    # What is cut into three chunks has a rate, however fast it comes.
    third = len(sent) // 3
    chunks = [sent[:third], sent[third : 2 * third], sent[2 * third :]]
    return await decoder.start(Wire(chunks), wishes)


def values(packets: list[Packet]) -> np.ndarray:
    return np.concatenate([packet.values for packet in packets]) if packets else np.empty((0, 6))


def cut(data: bytes, places: list[int]) -> Iterator[bytes]:
    edges = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    for begin, end in itertools.pairwise(edges):
        yield data[begin:end]


async def test_golden_frames_of_the_makers_document() -> None:
    decoder = WitMotionDecoder()
    (stream,) = await started(decoder, (NOON + AT_REST + TURNING) * 9, Wishes())
    assert stream.channels == ("acc_x", "acc_y", "acc_z", "gyr_x", "gyr_y", "gyr_z")
    assert stream.ticks_per_second == 1000
    (packet,) = decoder.decode("", NOON + AT_REST + TURNING)
    rotation = np.radians(1000)
    assert np.allclose(packet.values, [[0, 0, STANDARD_GRAVITY, rotation, -rotation, 0]], rtol=1e-6)
    later = decoder.decode("", frame(0x50, [0x0217, 0x0C1C, 0x0000, 600]) + AT_REST + TURNING)
    assert packet.ticks is not None
    assert later[0].ticks == packet.ticks + 100


@given(data=st.binary(max_size=80), places=st.lists(st.integers(0, 10_000), max_size=12))
@settings(max_examples=80, deadline=None)
def test_frames_are_found_among_anything_and_however_they_are_cut(data: bytes, places: list[int]) -> None:
    sent = data.replace(b"\x55", b"\x54") + wit(0, 3) + data + wit(3, 3)
    whole = list(Frames().push(sent))
    frames = Frames()
    pieces = [found for part in cut(sent, places) for found in frames.push(part)]
    assert pieces == whole
    assert [k for k, _, _ in whole][:9] == [0x51, 0x52, 0x53] * 3
    assert len(frames._rest) < 11


MIXED = st.lists(
    st.tuples(st.sampled_from([0x50, 0x51, 0x52, 0x53, 0x5F]), st.binary(min_size=8, max_size=8)).map(
        lambda made: frame(made[0], np.frombuffer(made[1], "<i2").tolist())
    )
    | st.binary(max_size=5),
    max_size=30,
)


@given(first=st.sampled_from([AT_REST + TURNING, NOON + AT_REST + TURNING, AT_REST]), parts=MIXED)
@settings(max_examples=60, deadline=None)
def test_no_order_of_frames_and_no_content_breaks_the_decoder(first: bytes, parts: list[bytes]) -> None:
    decoder = WitMotionDecoder()
    (stream,) = asyncio.run(started(decoder, first * 9, Wishes()))
    data = b"".join(parts)
    packets = decoder.decode("", data)
    assert all(packet.values.shape[1:] == (len(stream.channels),) for packet in packets)
    assert sum(len(packet.values) for packet in packets) <= len(data) // 11


async def test_a_wrong_sum_costs_half_a_sample_and_is_counted() -> None:
    decoder = WitMotionDecoder()
    await started(decoder, wit(0, 9), Wishes())
    good = bytearray(wit(0, 3))
    good[33 + 4] ^= 1  # the second sample's acceleration
    packets = decoder.decode("", bytes(good))
    assert [len(packet.values) for packet in packets] == [0, 3]
    rows = values(packets)
    assert np.isnan(rows[1]).tolist() == [True] * 3 + [False] * 3
    assert np.isfinite(rows[[0, 2]]).all()


async def test_a_stream_that_begins_in_the_middle_of_a_group_begins_with_a_whole_sample() -> None:
    decoder = WitMotionDecoder()
    await started(decoder, wit(0, 9), Wishes())
    rows = values(decoder.decode("", wit(0, 2)[11:]))
    assert len(rows) == 1
    assert np.isfinite(rows).all()


async def test_a_wish_for_a_rate_writes_registers() -> None:
    wire = Wire([wit(0, 4), wit(4, 4), wit(8, 4)])
    await WitMotionDecoder().start(wire, Wishes(100.0))
    unlock = "ff aa 69 88 b5 "
    assert wire.written == bytes.fromhex(unlock + "ff aa 02 07 00 " + unlock + "ff aa 03 09 00")


async def test_a_sensor_at_another_speed_is_told_the_usual_one() -> None:
    with pytest.raises(SourceError, match=r"3300 bytes came.*&baud=9600"):
        await started(WitMotionDecoder(), bytes(3300), Wishes())
    with pytest.raises(SourceError, match="TX wired to RX"):
        await WitMotionDecoder().start(Wire([]), Wishes())
    with pytest.raises(SourceError, match=r"0x53.*&rate=50"):
        await started(WitMotionDecoder(), frame(0x53, [0, 0, 0, 0]) * 30, Wishes())


@given(places=st.lists(st.integers(0, 10_000), max_size=12), axes=st.sampled_from([3, 6]))
@settings(max_examples=50, deadline=None)
def test_lines_are_the_same_however_they_are_cut(places: list[int], axes: int) -> None:
    sent = b"75\n" + csv(0, 5, axes) + b"boot ok\n1,2\n" + csv(5, 5, axes, "\t") + b"0.1,"
    lines = Lines()
    pieces = [line for part in cut(sent, places) for line in lines.push(part)]
    assert pieces == Lines().push(sent)
    assert [line[0] for line in pieces if line and len(line) == axes] == [k / 8 for k in range(10)]
    assert pieces.count(None) == 1


@given(st.binary(max_size=4000))
@settings(max_examples=60, deadline=None)
def test_no_bytes_break_the_lines_or_fill_the_memory(data: bytes) -> None:
    lines = Lines()
    for line in lines.push(data):
        assert line is None or np.isfinite(np.float32(line)).all()
    assert len(lines._rest) <= 512


async def test_axes_are_counted_and_odd_lines_too() -> None:
    for axes in (3, 6):
        decoder = CsvLines().decoder()
        (stream,) = await started(decoder, csv(0, 30, axes), Wishes(50.0))
        assert (len(stream.channels), stream.rate) == (axes, 50)
        packets = decoder.decode("", b"5\n" + csv(0, 2, axes) + b"1,2\n9999e99,0,0\n" + csv(2, 1, axes))
        assert [len(packet.values) for packet in packets] == [0, 0, 0, 3]
        assert values(packets)[-3:, 0].tolist() == [0, 0.125, 0.25]


@pytest.mark.parametrize(
    ("sent", "match"),
    [
        (b"1,2,3,4\n" * 20, "4 numbers; a line must have 3"),
        (b'{"x": 1}\n' * 20, r"no line of numbers.*\{\"x\": 1\}"),
        (b"\xf7\x00\x91" * 40, r"gibberish.*&baud=9600"),
    ],
)
async def test_other_text_is_shown_with_what_to_do(sent: bytes, match: str) -> None:
    with pytest.raises(SourceError, match=match):
        await started(CsvLines().decoder(), sent, Wishes(50.0))


def test_the_pace_is_the_nominal_one() -> None:
    pace = Pace()
    for k in range(20):
        pace.observe(10, k * 0.1992)
    assert nominal(pace.rate) == 50
    assert nominal(37.26) == 37
    assert nominal(0.2) == 0.2


class Board:
    """Something on a genuine port that sends by itself, in real time."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "port"
        self.plug()

    def plug(self) -> None:
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        self.path.symlink_to(os.ttyname(self._slave))

    async def send(self, make: object, rate: float, seconds: float, noise: bytes = b"") -> None:
        """Send samples at a rate, a few at a time, as an interrupt would; garbage every half second."""
        begin, sent, noises = time.monotonic(), 0, 0
        while (now := time.monotonic() - begin) < seconds:
            due = int(now * rate)
            if due > sent and self._master >= 0:
                os.write(self._master, make(sent, due - sent))  # type: ignore[operator]
            sent = due
            if noise and now > 0.5 * noises:
                os.write(self._master, noise)
                noises += 1
            await asyncio.sleep(0.01)

    def unplug(self) -> None:
        self.path.unlink()
        os.close(self._slave)
        os.close(self._master)
        self._master = -1


@pytest.fixture
async def board(tmp_path: Path) -> AsyncIterator[Board]:
    board = Board(tmp_path)
    yield board
    board.unplug()


async def gather(url: str, seconds: float) -> tuple[Source, list[SampleBlock]]:
    blocks: list[SampleBlock] = []
    async with open_source(url) as source:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                async for block in source:
                    blocks.append(block)
    return source, blocks


def in_a_row(blocks: list[SampleBlock], step: float) -> np.ndarray:
    counted = np.concatenate([block.values[:, 0] for block in blocks]).astype(np.float64)
    times = np.concatenate([block.times for block in blocks])
    assert (np.diff(times) > 0).all()
    return np.diff(counted) / step


async def test_200_samples_a_second_over_a_genuine_port_none_lost(board: Board) -> None:
    sending = asyncio.create_task(board.send(wit, 200, 20))
    source, blocks = await gather(f"serial://{board.path}?profile=witmotion_serial", 3.5)
    assert not sending.done()
    sending.cancel()
    assert source.info.rate == 200
    steps = in_a_row(blocks, 16 * STANDARD_GRAVITY / 32768)
    assert len(steps) > 150
    assert np.allclose(steps, 1, atol=1e-3)
    assert (source.stats.corrupt, source.stats.samples_lost) == (0, 0)


async def test_lines_over_a_genuine_port_through_noise(board: Board) -> None:
    sending = asyncio.create_task(board.send(csv, 50, 20, noise=b"battery low\n"))
    source, blocks = await gather(f"serial://{board.path}?profile=csv_lines", 3.2)
    assert not sending.done()
    sending.cancel()
    assert source.info.rate == pytest.approx(50, rel=0.1)  # the host may be busy
    assert np.allclose(in_a_row(blocks, 1 / 8), 1)
    assert source.stats.corrupt >= 1


async def test_a_board_that_is_plugged_in_again_goes_on_after_a_gap(board: Board) -> None:
    sending = asyncio.create_task(board.send(csv, 50, 20))

    async def trip() -> None:
        await asyncio.sleep(1.5)
        board.unplug()
        await asyncio.sleep(0.4)
        board.plug()

    tripping = asyncio.create_task(trip())
    source, blocks = await gather(f"serial://{board.path}?profile=csv_lines&rate=50", 4.5)
    assert not sending.done()
    sending.cancel()
    await tripping
    assert source.stats.reconnects == 1
    counted = np.concatenate([block.values[:, 0] for block in blocks]) * 8
    gap = int(np.argmax(np.diff(counted)))
    times = np.concatenate([block.times for block in blocks])
    assert np.diff(counted)[gap] > 15
    assert times[gap + 1] - times[gap] == pytest.approx(np.diff(counted)[gap] / 50, abs=0.25)
    assert len(counted) - gap > 10


async def test_a_board_that_sends_only_noise_is_looked_for_again(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one does that was set to another speed; it is found once it is understood again."""
    monkeypatch.setattr(profile_source, "SILENCE_S", 2.5)

    heard = asyncio.Event()

    async def speak() -> None:
        while not heard.is_set():
            await board.send(csv, 50, 0.2)
        await board.send(lambda *_: b"\xf3\x0c~\n", 50, 4.0)
        await board.send(csv, 50, 20)

    speaking = asyncio.create_task(speak())
    async with asyncio.timeout(20), open_source(f"serial://{board.path}?profile=csv_lines&rate=50") as source:
        async for _ in source:
            heard.set()
            if source.stats.reconnects:
                break
    speaking.cancel()
    assert any("nothing that can be understood for 2.5 s" in text for text in source.stats.warnings)


def test_a_rate_measured_again_is_the_same_unless_it_is_another_one() -> None:
    profile = CsvLines()
    first = profile.settle(Stream("lines", ("acc_x",), 37.0))
    assert profile.settle(Stream("lines", ("acc_x",), 38.0)) is first
    assert profile.settle(Stream("lines", ("acc_x",), 50.0)).rate == 50


def test_they_are_found_by_name() -> None:
    assert find_profile("witmotion_serial").carrier == "serial"
    assert find_profile("csv_lines").carrier == "serial"

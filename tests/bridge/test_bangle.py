"""The Bangle.js app on a JavaScript engine, decoded by the host; then over the air of the BLE bench."""

from __future__ import annotations

import asyncio
import os
import pty
import select
import shutil
import subprocess
import sys
import time
import tty
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from img2imu_bridge.profiles import Advertisement
from img2imu_bridge.profiles.bangle import BANGLE, app
from img2imu_bridge.profiles.registry import find_profile, recognise
from img2imu_bridge.profiles.wire import WireProfile
from img2imu_bridge.wire.framing import FrameReader, encode_frame
from img2imu_bridge.wire.messages import (
    Control,
    Data,
    Info,
    InfoAssembler,
    InfoPart,
    Request,
    Status,
    StatusCode,
    decode,
    encode_control,
)
from img2imu_bridge.wire.stream import StreamDecoder

import img2imu_edge as i2e
from tests.bridge.bangle.watch import FOLDER, NODE, BenchWatch, Watch

needs_node = pytest.mark.skipif(NODE is None, reason="there is no JavaScript engine: apt install nodejs")
ATTACH = b"\x10img2imu.attach(50)\n"


@pytest.fixture
def watch() -> Iterator[Watch]:
    if NODE is None:
        pytest.skip("there is no JavaScript engine: apt install nodejs")
    with Watch() as watch:
        yield watch


class Ear:
    """What the host makes of the watch's bytes."""

    def __init__(self) -> None:
        self.reader, self._assembler = FrameReader(), InfoAssembler()

    def understand(self, said: bytes) -> list[Data | Info | Status]:
        items: list[Data | Info | Status] = []
        for message in self.reader.push(said):
            item = decode(message)
            assert not isinstance(item, Control)
            whole = self._assembler.push(item) if isinstance(item, InfoPart) else item
            items += [] if whole is None else [whole]
        return items


def request(kind: Request, number: int, rate: float | None = None) -> bytes:
    return encode_frame(encode_control(Control(kind, number, rate)))


def started(watch: Watch) -> tuple[Ear, Info]:
    """A watch that samples, and what it said of itself when it began."""
    assert watch.type(app()) == b""
    ear = Ear()
    hello = watch.type(ATTACH)
    assert hello[0] == 0
    (idle,) = ear.understand(hello)
    assert isinstance(idle, Info)
    assert not idle.streaming
    status, info = ear.understand(watch.type(request(Request.START, 1)))
    assert status == Status(Request.START, 1, StatusCode.OK)
    assert isinstance(info, Info)
    return ear, info


def test_it_is_recognised_and_speaks_our_protocol() -> None:
    profile = find_profile("bangle")
    assert isinstance(profile, WireProfile)
    assert profile is recognise(Advertisement("C0:FF:EE:00:12:34", "Bangle.js 1234"))
    assert not BANGLE.recognises(Advertisement("C0:FF:EE:00:12:34", "Puck.js 1234"))


def test_the_app_is_one_silent_line_that_fits_the_watch() -> None:
    text = app()
    assert text.startswith(b"\x10global.img2imu")
    assert text.endswith(b"})();\n")
    assert text.count(b"\n") == text.count(b"\x1b\n") + 1
    assert b"//" not in text
    assert len(text) < 6000


def test_it_says_what_it_is_and_numbers_every_sample(watch: Watch) -> None:
    ear, info = started(watch)
    assert (info.name, info.rate, info.channels, info.boot_id) == (
        "Bangle.js 1234", 50.0, ("acc_x", "acc_y", "acc_z"), 0xDEADBEEF,
    )  # fmt: skip
    decoder = StreamDecoder(info)
    said = ear.understand(watch.tell("poll 9000 0") + watch.type(request(Request.STOP, 2)))
    assert said.pop() == Status(Request.STOP, 2, StatusCode.OK)
    assert ear.reader.corrupt == 0
    blocks = decoder.push_many([item for item in said if isinstance(item, Data)]) + decoder.flush()
    counts = np.rint(np.concatenate([block.values for block in blocks]) / 9.80665 * 8192).astype(int)
    np.testing.assert_array_equal(counts[:, 0] + 8000 * counts[:, 1], np.arange(9000))
    np.testing.assert_array_equal(counts[:, 2], -8192)
    times = np.concatenate([block.times for block in blocks])
    np.testing.assert_allclose(np.diff(times), 0.02, atol=1e-4)
    assert decoder.stats.samples_lost == 0


def test_polls_that_found_it_busy_are_counted_as_lost(watch: Watch) -> None:
    ear, info = started(watch)
    said = b"".join(watch.tell(f"poll {17 + n} {n}") for n in (0, 1, 3, 2, 0, 40))
    said += watch.tell("poll 10 0") + watch.type(request(Request.STOP, 2))
    decoder = StreamDecoder(info)
    heard = [item for item in ear.understand(said) if isinstance(item, Data)]
    blocks = decoder.push_many(heard) + decoder.flush()
    numbers = np.rint(np.concatenate([block.values for block in blocks])[:, 0] / 9.80665 * 8192)
    assert len(numbers) + decoder.stats.samples_lost == watch.polls
    assert decoder.stats.samples_lost == 46
    np.testing.assert_array_equal(np.diff(numbers)[np.diff(numbers) > 1], [2, 4, 3, 41])


@pytest.mark.parametrize(
    ("rate", "poll", "odcntl"), [(12.5, 80, 2), (25.0, 40, 3), (50.0, 20, 4), (100.0, 10, 5), (30.0, 33, 4)]
)
def test_its_rate_is_the_polling_and_the_sensor_is_faster(
    watch: Watch, rate: float, poll: int, odcntl: int
) -> None:
    ear, _ = started(watch)
    status, info = ear.understand(watch.type(request(Request.SET_RATE, 3, rate)))
    assert status == Status(Request.SET_RATE, 3, StatusCode.OK)
    assert isinstance(info, Info)
    assert info.rate == round(1e6 / poll) / 1000
    assert watch.eval("[watch.interval, watch.registers[0x1B], watch.registers[0x18]]") == [
        poll,
        odcntl,
        0xEC,
    ]
    assert 12.5 * 2**odcntl >= 3 * rate
    watch.type(request(Request.STOP, 4))
    assert watch.eval("[watch.interval, watch.registers[0x1B], watch.registers[0x18], watch.powerSave]") == [
        80, 0, 0xAC, True,
    ]  # fmt: skip


def test_what_it_does_not_understand_is_answered_or_ignored(watch: Watch) -> None:
    ear, _ = started(watch)
    assert ear.understand(watch.type(request(Request.SET_RATE, 5, 400.0))) == [
        Status(Request.SET_RATE, 5, StatusCode.BAD_ARGUMENT)
    ]
    assert ear.understand(watch.type(encode_frame(b"\x1e\x06"))) == [
        Status(0x1E, 6, StatusCode.UNKNOWN_REQUEST)
    ]
    damaged = bytearray(request(Request.STOP, 7))
    damaged[1] ^= 1
    for garbage in (bytes(damaged), b"\0\0", b"x" * 500 + b"\0", encode_frame(b"\x12\0\0\0"), b"\xff\0\3a\0"):
        assert watch.type(garbage) == b""
    assert len(ear.understand(watch.type(request(Request.GET_INFO, 8)))) == 1


def test_a_watch_that_is_set_keeps_its_clock(watch: Watch) -> None:
    ear, info = started(watch)
    said = watch.tell("poll 100 0")
    watch.eval("watch.time -= 5000")
    said += watch.tell("poll 100 0")
    watch.eval("watch.time += 90000")
    said += watch.tell("poll 100 0")
    decoder = StreamDecoder(info)
    blocks = decoder.push_many([item for item in ear.understand(said) if isinstance(item, Data)])
    times = np.concatenate([block.times for block in blocks + decoder.flush()])
    assert len(times) == 300
    assert np.all(np.diff(times) >= 0)
    assert np.max(np.diff(times)) < 0.05


def test_it_leaves_the_watch_as_it_was(watch: Watch) -> None:
    started(watch)
    watch.type(request(Request.STOP, 2))
    watch.tell("link 0")
    assert watch.eval("[typeof img2imu, watch.interval, watch.powerSave]") == ["undefined", 80, True]
    assert watch.eval("Object.keys(watch.listeners).every(n => !watch.listeners[n].length)") is True


def test_it_waits_ten_minutes_for_a_host_that_went_away(watch: Watch) -> None:
    started(watch)
    watch.tell("link 0")
    assert watch.tell("poll 50 0") == b""
    watch.tell("link 1")
    ear = Ear()
    (info,) = (item for item in ear.understand(watch.type(ATTACH)) if isinstance(item, Info))
    assert (info.streaming, info.next_index) == (True, 50)
    watch.tell("link 0")
    watch.eval("Object.values(watch.timers).forEach(f => f())")
    assert watch.eval("[typeof img2imu, watch.interval]") == ["undefined", 80]


def test_as_an_app_it_stays(watch: Watch) -> None:
    watch.eval('__FILE__ = "img2imu.app.js"')
    started(watch)
    watch.type(request(Request.STOP, 2))
    watch.tell("link 0")
    assert watch.eval("[typeof img2imu, watch.message.split('\\n')[0]]") == ["object", "img2imu"]
    watch.eval('watch.emit("kill")')
    assert watch.eval("typeof img2imu") == "undefined"


@pytest.mark.skipif(shutil.which("espruino") is None, reason="Espruino's own interpreter is not on the PATH")
def test_espruino_itself_takes_the_app_silently() -> None:
    """Built from its sources with `make BOARD=LINUX`; its console gets the app as a watch's would."""
    master, slave = pty.openpty()
    tty.setraw(slave)

    def said(seconds: float) -> bytes:
        text, end = b"", time.monotonic() + seconds
        while time.monotonic() < end:
            if select.select([master], [], [], 0.05)[0]:
                text += os.read(master, 65536)
        return text

    with subprocess.Popen([str(shutil.which("espruino"))], stdin=slave, stdout=slave) as process:
        said(1.0)
        shim = (FOLDER / "espruino.js").read_text().replace("\n", "\x1b\n").partition("var ")[2]
        for text in (f"\x10var {shim}\n".encode(), app(), ATTACH, b"\x10watch.link(1);print(img2imu)\n"):
            for start in range(0, len(text), 128):
                os.write(master, text[start : start + 128])
                time.sleep(0.005)
        answer = said(2.0)
        process.kill()
    assert answer.strip().startswith(b"{")


if sys.platform == "linux":
    from tests.ble.bench import Bench
    from tests.ble.conftest import bare_bench, bench, make_bus, tidy_bleak  # noqa: F401

    @pytest.fixture
    def aired(watch: Watch, bench: Bench) -> Iterator[BenchWatch]:  # noqa: F811
        peripheral = bench.add(BenchWatch(watch))
        yield peripheral
        peripheral.finish()

    async def listen(
        url: str, samples: int, at: dict[int, Callable[[], object]] | None = None
    ) -> tuple[i2e.Source, list[i2e.SampleBlock]]:
        """Samples until there are so many; `at` says what happens after how many."""
        events, blocks, count = dict(at or {}), [], 0
        async with i2e.open_source(url) as source:
            async for block in source:
                blocks.append(block)
                count += len(block)
                for after in [n for n in events if n <= count]:
                    await asyncio.to_thread(events.pop(after))
                if count >= samples:
                    break
        return source, blocks

    def index(blocks: list[i2e.SampleBlock]) -> np.ndarray:
        values = np.concatenate([block.values for block in blocks]).astype(float)
        counts = np.rint(values / 9.80665 * 8192).astype(int)
        return counts[:, 0] + 8000 * counts[:, 1]

    async def test_over_the_air_by_its_name(aired: BenchWatch) -> None:
        source, blocks = await listen("ble:Bangle.js%201234", 600)
        assert source.info == i2e.StreamInfo("Bangle.js 1234", ("acc_x", "acc_y", "acc_z"), 50.0)
        np.testing.assert_array_equal(np.diff(index(blocks)), 1)
        assert (source.stats.samples_lost, source.stats.corrupt) == (0, 0)
        assert aired.watch.overflowed == 0  # XOFF was obeyed
        await asyncio.sleep(0.3)
        assert aired.watch.eval("typeof img2imu") == "undefined"

    async def test_over_the_air_at_a_rate(aired: BenchWatch) -> None:
        source, blocks = await listen("ble:Bangle.js%201234?rate=25", 100)
        assert source.info.rate == 25
        times = np.concatenate([block.times for block in blocks])
        np.testing.assert_allclose(np.diff(times), 0.04, atol=1e-3)
        with pytest.raises(i2e.SourceError, match=r"12\.5 to 100 Hz, not 400"):
            await listen("ble:Bangle.js%201234?rate=400", 100)

    async def test_a_disconnect_is_a_gap_counted_to_the_sample(aired: BenchWatch) -> None:
        source, blocks = await listen(
            "ble:Bangle.js%201234?profile=bangle", 900, {200: aired.drop, 500: aired.drop}
        )
        assert source.stats.reconnects == 2
        numbers = index(blocks)
        assert len(set(numbers)) == len(numbers)
        missing = numbers[-1] - numbers[0] + 1 - len(numbers)
        assert missing > 0
        assert sum(block.lost for block in blocks) == missing == source.stats.samples_lost

    async def test_a_watch_that_restarts_gets_the_app_again(aired: BenchWatch) -> None:
        def restart() -> None:
            aired.watch.eval("watch.off('disconnect', watch.listeners.disconnect[0]), delete global.img2imu, "
                             "watch.listeners = {}, E.hwRand = () => 7, 0")  # fmt: skip
            aired.drop()

        source, blocks = await listen("ble:Bangle.js%201234", 600, {300: restart})
        assert source.stats.reconnects == 1
        assert sum(map(len, blocks)) >= 600

    async def test_a_console_that_is_not_there_is_told(
        aired: BenchWatch, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("img2imu_bridge.profiles.bangle._PATIENCE", 0.3)
        aired.watch.eval("watch.link = () => 0, watch.console = 'Terminal', 0")
        with pytest.raises(i2e.SourceError, match="Programmable"):
            await listen("ble:Bangle.js%201234?tries=1", 1)

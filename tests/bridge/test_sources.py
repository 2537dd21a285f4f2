"""Sources against genuine ports: what goes wrong first when a device is plugged in."""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import threading
import tty
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import serial
from img2imu_bridge.sources import virtual

import img2imu_edge as i2e


@contextlib.contextmanager
def device(babble: bytes) -> Iterator[str]:
    """A port behind which something sends the same bytes for ever, or nothing."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    os.set_blocking(master, False)
    stop = threading.Event()

    def send() -> None:
        while not stop.wait(0.02):
            with contextlib.suppress(BlockingIOError):
                os.write(master, babble)

    sender = threading.Thread(target=send)
    sender.start()
    try:
        yield os.ttyname(slave)
    finally:
        stop.set()
        sender.join()
        os.close(master)
        os.close(slave)


async def enter(url: str) -> None:
    async with i2e.open_source(url):
        pytest.fail("connected to something that is no device")


async def test_a_port_that_is_not_there() -> None:
    with pytest.raises(i2e.SourceError, match="there is no port /dev/none-such"):
        await enter("serial:///dev/none-such")


async def test_a_port_that_is_busy() -> None:
    with (
        device(b"") as port,
        serial.Serial(port, exclusive=True),
        pytest.raises(i2e.SourceError, match="in use by another program"),
    ):
        await enter(f"serial://{port}")


async def test_garbage_as_at_a_wrong_baud_rate() -> None:
    garbage = np.random.default_rng(0).integers(0, 256, 200, np.uint8).tobytes()
    with device(garbage) as port, pytest.raises(i2e.SourceError, match="no valid frame"):
        await enter(f"serial://{port}?timeout=1")


async def test_a_device_that_never_says_what_it_is() -> None:
    with device(b"") as port, pytest.raises(i2e.SourceError, match="nothing came from it"):
        await enter(f"serial://{port}?timeout=1")


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("replay:x.csv?speed=-1", "must be 0 or more, or max"),
        ("replay:x.csv?speed=fast", "must be 0 or more, or max"),
        ("ble:x?rate=fast", "must be a number"),
        ("ble:x?gyroscope=maybe", "must be true or false"),
        ("virtual:?loops=1.5", "must be a whole number"),
        ("sensorlogger:?worn=foot", "must be one of auto, watch, phone"),
    ],
)
def test_a_value_that_cannot_be_is_told_what_can(url: str, told: str) -> None:
    with pytest.raises(i2e.SourceError, match=told):
        i2e.open_source(url)


@pytest.mark.parametrize("scheme", ["serial:///dev/x", "replay:x.csv", "virtual:"])
def test_unknown_options_are_told_the_known_ones(scheme: str) -> None:
    with pytest.raises(i2e.SourceError, match="sped"):
        i2e.open_source(f"{scheme}?sped=3")


async def test_a_replay_gives_the_recording_itself(tmp_path: Path) -> None:
    path = tmp_path / "a walk.csv"
    rows = [f"{i * 0.02:.2f},{i},0.25,9.81" for i in range(57)]
    path.write_text("\n".join(["time,acc_x,acc_y,acc_z", *rows]))
    async with i2e.open_source(f"replay:{path.as_posix().replace(' ', '%20')}?speed=0") as source:
        blocks = [block async for block in source]
    recording = i2e.read_recording(path)
    np.testing.assert_array_equal(np.concatenate([b.times for b in blocks]), recording.times)
    np.testing.assert_array_equal(np.concatenate([b.values for b in blocks]), recording.values)
    assert source.stats.samples_received == 57


async def test_a_virtual_wearable_of_many_laps_answers_at_once() -> None:
    async with i2e.open_source("virtual:?loops=1000&speed=max") as source:  # forever, to prepare it all
        async for block in source:
            assert len(block)
            break


async def test_a_virtual_wearable_says_how_many_laps_it_can_hold() -> None:
    with pytest.raises(i2e.SourceError, match=r"at most loops=2053 can be played"):
        await enter("virtual:?loops=1000000")


async def test_a_virtual_wearable_that_hangs_is_ended_without_a_word(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(virtual, "_STOP_S", 0.2)
    source = i2e.open_source("virtual:")
    async with source:
        process = source._process  # type: ignore[attr-defined]
        process.send_signal(signal.SIGSTOP)
    assert process.returncode == -signal.SIGKILL

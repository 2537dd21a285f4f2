"""Shared by the tests of the sources: small recordings, and devices on genuine ptys that do as told."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pty
import tty
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from img2imu_bridge.wire.framing import FrameReader, encode_frame
from img2imu_bridge.wire.messages import (
    Control,
    Info,
    Kind,
    Request,
    SensorInfo,
    Status,
    StatusCode,
    decode,
    encode_data,
    encode_info,
    encode_status,
)

from img2imu_edge.recording import Recording, read_recording

PERIOD = 20_000
INFO = Info("scripted", (SensorInfo(Kind.ACC, 1, 400),), 50.0, 1_000_000, boot_id=7)


class ScriptedDevice:
    """A device that answers as a good one does, unless a test says otherwise.

    Attributes:
        path: Where its port is; stays the same when it is plugged in again.
        info: What it says of itself; `next_index` and `ticks` follow from `sent`.
        mute: Requests that it leaves unanswered: how many of each kind.
        code: How it answers START.
        asked: The requests it got.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "port"
        self.info = INFO
        self.mute = dict.fromkeys(Request, 0)
        self.code = StatusCode.OK
        self.asked: list[Request] = []
        self.on_start: Callable[[], None] = lambda: None
        self.next = 0
        self._master = self._slave = -1
        self._frames = FrameReader()
        self.plug()

    def plug(self) -> None:
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.path.symlink_to(os.ttyname(self._slave))
        asyncio.get_running_loop().add_reader(self._master, self._read)

    def unplug(self) -> None:
        if self._master >= 0:
            asyncio.get_running_loop().remove_reader(self._master)
            self.path.unlink()
            os.close(self._slave)
            os.close(self._master)
            self._master = self._slave = -1

    def reboot(self, boot_id: int) -> None:
        self.info = replace(self.info, boot_id=boot_id, streaming=False)
        self.next = 0

    def write(self, data: bytes) -> int:
        """Write what fits; returns how many bytes did."""
        with contextlib.suppress(BlockingIOError):
            return os.write(self._master, data)
        return 0

    def send(self, message: bytes) -> None:
        frame = encode_frame(message)
        assert self.write(frame) == len(frame)

    def send_info(self, **changes: object) -> None:
        at = {"next_index": self.next, "ticks": self.next * PERIOD}
        for part in encode_info(replace(self.info, **{**at, **changes}), 512):  # type: ignore[arg-type]
            self.send(part)

    def data(self, samples: int = 10) -> bytes:
        """Take samples whose first axis counts them, and return their message."""
        counts = np.zeros((samples, 3), np.int16)
        counts[:, 0] = np.arange(self.next, self.next + samples) % 30_000
        message = encode_data(self.next, self.next * PERIOD, counts)
        self.next += samples
        return message

    def send_data(self, messages: int = 1) -> None:
        for _ in range(messages):
            self.send(self.data())

    def end(self) -> None:
        self.info = replace(self.info, streaming=False)
        self.send_info()

    def _read(self) -> None:
        for message in self._frames.push(os.read(self._master, 4096)):
            request = decode(message)
            assert isinstance(request, Control)
            self.asked.append(request.kind)
            if self.mute[request.kind]:
                self.mute[request.kind] -= 1
            elif request.kind is Request.GET_INFO:
                self.send_info()
            else:
                self._obey(request)

    def _obey(self, request: Control) -> None:
        code = self.code if request.kind is Request.START else StatusCode.OK
        self.send(encode_status(Status(request.kind, request.request_id, code)))
        if request.kind is Request.SET_RATE and code is StatusCode.OK:
            self.info = replace(self.info, rate=request.rate)
            self.send_info()
        elif code is StatusCode.OK:
            began = request.kind is Request.START and not self.info.streaming
            self.info = replace(self.info, streaming=request.kind is Request.START)
            if began:
                self.send_info()
                self.on_start()


@pytest.fixture
async def device(tmp_path: Path) -> Iterator[ScriptedDevice]:
    device = ScriptedDevice(tmp_path)
    yield device
    device.unplug()


@pytest.fixture
def make_recording(tmp_path: Path) -> Callable[..., Recording]:
    """Write a recording of a random walk whose values and times come through the wire exactly."""

    def make(
        samples: int = 2000, *, gyro: bool = True, name: str = "run", without: range = range(0)
    ) -> Recording:
        rng = np.random.default_rng(samples)
        acc = np.clip(rng.integers(-900, 900, (samples, 3)).cumsum(0), -32_000, 32_000) / 400
        gyr = np.clip(rng.integers(-900, 900, (samples, 3)).cumsum(0), -32_000, 32_000) / 1000
        header = "time,acc_x,acc_y,acc_z" + (",gyr_x,gyr_y,gyr_z" if gyro else "")
        rows = [
            ",".join(
                [f"{k * 0.02:.2f}", *(f"{v:.4f}" for v in acc[k]), *(f"{v:.3f}" for v in gyr[k][: 3 * gyro])]
            )
            for k in range(samples)
            if k not in without
        ]
        path = tmp_path / f"{name}.csv"
        path.write_text("\n".join([header, *rows]) + "\n")
        return read_recording(path)

    return make

"""`virtual:?speed=10&loss=0.05`: a virtual wearable, in a process of its own, behind a genuine port."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Self
from urllib.parse import SplitResult

from img2imu_bridge.sources.serial import SerialOptions, serial_source
from img2imu_bridge.supervisor import WireSource
from img2imu_bridge.virtual.options import VirtualOptions
from img2imu_edge.errors import SourceError
from img2imu_edge.options import options_of
from img2imu_edge.samples import SampleBlock
from img2imu_edge.source import LinkStats, StreamInfo

_READY_S = 20.0
_STOP_S = 5.0


def open_virtual(url: SplitResult) -> VirtualSource:
    """The source behind a `virtual:` URL."""
    return VirtualSource(url.geturl(), options_of(url, VirtualOptions, SourceError))


class VirtualSource:
    """Starts a virtual wearable and connects to it as to any serial device.

    Args:
        url: The source's URL, for people.
        options: The wearable's knobs.

    Attributes:
        ledger: The wearable's own account of what it made, sent and lost; known once its process has ended.
    """

    def __init__(self, url: str, options: VirtualOptions) -> None:
        self.url, self._options = url, options
        self.stats = LinkStats()
        self.ledger: dict[str, int] = {}
        self._process: Process | None = None
        self._wire: WireSource | None = None

    @property
    def info(self) -> StreamInfo:
        """What the wearable said about itself."""
        return self._connected().info

    async def __aenter__(self) -> Self:
        values = dataclasses.asdict(self._options)
        recording = values.pop("recording")
        arguments = [f"--{name}={value}" for name, value in values.items()]
        # Its input is a pipe that nobody writes to: it ends when this process does, however that ends.
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "img2imu_bridge.virtual", "--attached", *arguments, "--", recording),
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
        )
        try:
            port = await self._wait_for_port(self._process)
            self._wire = serial_source(self.url, port, SerialOptions())
            self.stats = self._wire.stats
            await self._wire.__aenter__()
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        try:
            await self._connected().__aexit__(exc_type, exc, tb)
        finally:
            await self._stop()

    async def __aiter__(self) -> AsyncIterator[SampleBlock]:
        async for block in self._connected():
            yield block

    def _connected(self) -> WireSource:
        if self._wire is None:
            raise SourceError(f"{self.url} is not connected; use it with: async with source")
        return self._wire

    async def _wait_for_port(self, process: Process) -> str:
        assert process.stdout is not None and process.stderr is not None  # noqa: S101, PT018 - pipes
        try:
            line = await asyncio.wait_for(process.stdout.readline(), _READY_S)
        except TimeoutError:
            raise SourceError(
                f"the virtual wearable did not start within {_READY_S:g} s; try again"
            ) from None
        if not line:
            message = (await process.stderr.read()).decode().strip().removeprefix("error: ")
            raise SourceError(f"the virtual wearable did not start: {message or 'no reason given'}")
        return line.decode().strip().removeprefix("serial://")

    async def _stop(self) -> None:
        """End the process and read its ledger; never leaves it behind, not even when cancelled."""
        process, self._process = self._process, None
        if process is None:
            return
        try:
            # Closes its input, upon which it ends if it has not yet. One that hangs has no ledger.
            with contextlib.suppress(TimeoutError):
                out, _ = await asyncio.wait_for(process.communicate(), _STOP_S)
                for line in out.splitlines():
                    self.ledger = json.loads(line)
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()

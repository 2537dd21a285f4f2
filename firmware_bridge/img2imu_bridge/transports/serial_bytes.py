"""Bytes over a serial port: opened once, closed however it ended."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import serial

from img2imu_bridge.transport import LinkLostError
from img2imu_bridge.transports.serial_port import close_port, open_port
from img2imu_bridge.transports.serial_readers import Chunk, PollReader, Reader, ThreadReader
from img2imu_edge.source import LinkStats

MakeReader = Callable[[Any], Reader]

default_reader: MakeReader = PollReader if os.name == "posix" else ThreadReader
"""How bytes are waited for, as the system does it best."""


class SerialBytes:
    """One opening of one serial port.

    Args:
        path: Device file, or a name such as COM3.
        baud: Bits per second; a USB device or a pty ignores it.
        stats: Counters to keep current.
        reader: How bytes are waited for; by default as the system does it best.
    """

    def __init__(self, path: str, baud: int, stats: LinkStats, reader: MakeReader = default_reader) -> None:
        self.path, self.baud = path, baud
        self._stats, self._make_reader = stats, reader
        self._port: Any = None
        self._reader: Reader | None = None

    def open(self) -> None:
        """Open the port for this process alone, and start reading.

        Raises:
            SourceError: If that fails; the message says what to do.
        """
        self._port = open_port(self.path, self.baud)
        self._reader = self._make_reader(self._port)

    async def get(self) -> Chunk:
        """Wait for the next bytes; cancelling loses none.

        Raises:
            LinkLostError: If there is no port any more.
        """
        if self._reader is None:
            raise LinkLostError(f"{self.path} is not open")
        chunk = await self._reader.get()
        self._stats.bytes_received += len(chunk.data)
        return chunk

    def write(self, data: bytes) -> None:
        """Send bytes; blocks for half a second at most, if the other side holds them up.

        Raises:
            LinkLostError: If there is no port any more, or it takes nothing more.
        """
        if self._port is None:
            raise LinkLostError(f"{self.path} is not open")
        try:
            self._port.write(data)
        except (serial.SerialException, OSError) as error:
            raise LinkLostError(f"{self.path} takes no more bytes ({error})") from error

    async def close(self) -> None:
        """Close the port, without waiting for a hung device to take what was written."""
        reader, self._reader = self._reader, None
        port, self._port = self._port, None
        try:
            if reader is not None:
                await reader.stop()
        finally:
            if port is not None:
                close_port(port)

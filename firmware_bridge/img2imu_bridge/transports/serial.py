"""Messages over a serial port: USB, UART, Bluetooth SPP, or a pty."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import serial

from img2imu_bridge.transport import Arrival, LinkLostError
from img2imu_bridge.transports.serial_port import close_port, open_port
from img2imu_bridge.transports.serial_readers import PollReader, Reader, ThreadReader
from img2imu_bridge.wire.framing import FrameReader, encode_frame
from img2imu_edge.source import LinkStats

default_reader: Callable[[Any], Reader] = PollReader if os.name == "posix" else ThreadReader
"""How bytes are waited for, as the system does it best."""


class SerialTransport:
    """One opening of one serial port; see `Transport`."""

    def __init__(
        self, path: str, baud: int, stats: LinkStats, reader: Callable[[Any], Reader] = default_reader
    ) -> None:
        """Open nothing yet.

        Args:
            path: Device file, or a name such as COM3.
            baud: Bits per second; a USB device or a pty ignores it.
            stats: Counters to keep current.
            reader: How bytes are waited for; by default as the system does it best.
        """
        self.stats = stats
        self._path = path
        self._baud = baud
        self._make_reader = reader
        self._frames = FrameReader(stats)
        self._heard = 0  # bytes
        self._valid = 0  # frames
        self._port: Any = None
        self._reader: Reader | None = None

    async def open(self) -> None:
        """Open the port for this process alone, and start reading."""
        self._port = open_port(self._path, self._baud)
        self._reader = self._make_reader(self._port)

    async def read(self) -> Arrival:
        """Wait for the next bytes, and return the messages that they complete."""
        if self._reader is None:
            raise LinkLostError(f"{self._path} is not open")
        data, received = await self._reader.get()
        messages = self._frames.push(data)
        self.stats.bytes_received += len(data)
        self._heard += len(data)
        self._valid += len(messages)
        return Arrival(messages, received)

    async def write(self, message: bytes) -> None:
        """Send one frame; blocks for half a second at most, if the other side holds it up."""
        if self._port is None:
            raise LinkLostError(f"{self._path} is not open")
        try:
            self._port.write(encode_frame(message))
        except (serial.SerialException, OSError) as error:
            raise LinkLostError(f"{self._path} takes no more bytes ({error})") from error

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

    def describe_failure(self) -> str:
        """Tell a wrong baud rate from a device that says nothing, and from one that does not answer."""
        expected = "Its firmware must speak the img2imu wire protocol, version 1."
        if not self._heard:
            return f"{self._path} is open, but nothing came from it. Is the device on? {expected}"
        if not self._valid:
            return (
                f"{self._heard} bytes came from {self._path} at {self._baud} baud, but no valid frame. Check "
                f"that ?baud= is what the device uses. {expected}"
            )
        return f"{self._path} sent {self._valid} valid frames, but no INFO when asked for it. {expected}"

"""Messages over a serial port: USB, UART, Bluetooth SPP, or a pty."""

from __future__ import annotations

from img2imu_bridge.transport import Arrival
from img2imu_bridge.transports.serial_bytes import MakeReader, SerialBytes, default_reader
from img2imu_bridge.wire.framing import FrameReader, encode_frame
from img2imu_edge.source import LinkStats


class SerialTransport:
    """One opening of one serial port; see `Transport`."""

    def __init__(self, path: str, baud: int, stats: LinkStats, reader: MakeReader = default_reader) -> None:
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
        self._bytes = SerialBytes(path, baud, stats, reader)
        self._frames = FrameReader(stats)
        self._heard = 0  # bytes
        self._valid = 0  # frames

    async def open(self) -> None:
        """Open the port for this process alone, and start reading."""
        self._bytes.open()

    async def read(self) -> Arrival:
        """Wait for the next bytes, and return the messages that they complete."""
        data, received = await self._bytes.get()
        messages = self._frames.push(data)
        self._heard += len(data)
        self._valid += len(messages)
        return Arrival(messages, received)

    async def write(self, message: bytes) -> None:
        """Send one frame; blocks for half a second at most, if the other side holds it up."""
        self._bytes.write(encode_frame(message))

    async def close(self) -> None:
        """Close the port, without waiting for a hung device to take what was written."""
        await self._bytes.close()

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

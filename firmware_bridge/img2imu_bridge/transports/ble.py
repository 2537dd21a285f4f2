"""Messages over GATT: one notification is one message, one write is one request."""

from __future__ import annotations

from dataclasses import dataclass

from img2imu_bridge.ble.peripheral import MissingCharacteristicError, Peripheral
from img2imu_bridge.transport import Arrival, ConnectError, LinkLostError
from img2imu_bridge.wire.framing import FrameReader, encode_frame


@dataclass(frozen=True, slots=True)
class Channel:
    """Where messages go.

    Attributes:
        notify: Characteristic that the device notifies.
        write: Characteristic that takes requests.
        framed: The service is a stream of bytes that keeps no boundaries: messages are framed as on a serial
            line.
    """

    notify: str
    write: str
    framed: bool = False


NORDIC_UART = Channel("6e400003-b5a3-f393-e0a9-e50e24dcca9e", "6e400002-b5a3-f393-e0a9-e50e24dcca9e")
"""The Nordic UART Service, whose characteristics carry the wire protocol unless a device says otherwise."""


class GattTransport:
    """One connection to one peripheral that speaks the wire protocol; see `Transport`.

    Args:
        peripheral: Not yet opened.
        channel: Where messages go.
    """

    def __init__(self, peripheral: Peripheral, channel: Channel = NORDIC_UART) -> None:
        self.stats = peripheral.stats
        self.peripheral, self._channel = peripheral, channel
        self._frames = FrameReader(self.stats)
        self._heard = 0  # notifications

    async def open(self) -> None:
        """Find the device, connect, and subscribe."""
        await self.peripheral.open()
        try:
            await self.prepare()
            await self.peripheral.subscribe(self._channel.notify)
        except MissingCharacteristicError:
            await self.peripheral.forget_cache()
            raise

    async def prepare(self) -> None:
        """Get a device ready to speak the protocol, before it is subscribed to; most are."""

    async def read(self) -> Arrival:
        """Wait for the next notification, and return the messages that are there by then."""
        first = await self.peripheral.hear()
        heard = [first, *self.peripheral.hear_more()]
        self._heard += len(heard)
        values = [notification.value for notification in heard]
        if self._channel.framed:
            values = self._frames.push(b"".join(values))
        return Arrival(values, heard[-1].received)

    async def write(self, message: bytes) -> None:
        """Send a request."""
        value, size = message, len(message)
        if self._channel.framed:
            value, size = encode_frame(message), self.peripheral.payload(self._channel.write)
        try:
            for start in range(0, len(value), size):
                await self.peripheral.write(self._channel.write, value[start : start + size])
        except ConnectError as error:
            raise LinkLostError(str(error)) from error

    async def close(self) -> None:
        """Disconnect."""
        await self.peripheral.close()

    def describe_failure(self) -> str:
        """Tell a device that says nothing from one that speaks another protocol."""
        if not self._heard:
            return (
                "It is connected, but says nothing. Its firmware must speak the img2imu wire protocol over "
                "the Nordic UART Service; for other devices give ?profile=, see img2imu devices --profiles."
            )
        return (
            f"It sent {self._heard} notifications, but no INFO when asked for it: it speaks another "
            "protocol. Give ?profile=, see img2imu devices --profiles."
        )

"""Bangle.js 1 and 2: an app that speaks our wire protocol, put onto the watch while the host listens.

The watch's Nordic UART is a JavaScript console; what is said of it here is from its sources
(README_Protocol.md, src/jsinteractive.c, src/jsdevices.c of github.com/espruino/Espruino at c5ff787b1991). A
line that begins with DLE is executed without an echo, and an escaped line feed does not end it. Once the app
has the line, it carries our frames. A watch that was merely out of reach has the app still, and it counted on
meanwhile; it ends with the host's STOP, or ten minutes after its host went away.
"""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final, Literal

from img2imu_bridge.profiles import Advertisement, Decoder, Wishes
from img2imu_bridge.transport import Arrival, ConnectError
from img2imu_bridge.transports.ble import NORDIC_UART, Channel, GattTransport
from img2imu_edge.errors import SourceError

if TYPE_CHECKING:
    from img2imu_bridge.ble.peripheral import Peripheral

RATES: Final = (12.5, 100.0)
"""Lowest and highest sampling rate in Hz."""

_CHANNEL: Final = Channel(NORDIC_UART.notify, NORDIC_UART.write, framed=True)
_ATTACH: Final = '\x10global.img2imu?img2imu.attach({rate:g}):Bluetooth.write("img2imu?")\n'
_CTRL_C: Final = b"\x03"
_UNKNOWN: Final = b"img2imu?"
"""What the watch says if it has no app."""
_XON, _XOFF = b"\x11", b"\x13"
_KEPT: Final = 4096
"""Bytes of what the console says that are kept."""
_PACE: Final = 8000
"""Bytes per second to send at most: XOFF takes time, and 1280 bytes fit after it (boards/BANGLEJS2.py)."""
_SETTLE_S: Final = 0.1
"""Seconds within which XOFF comes, if it comes."""
_PATIENCE: Final = 3.0
"""Seconds that the watch has to answer on its console."""
_HOLD_S: Final = 5.0
"""Seconds that the watch may hold back the text."""


@cache
def app() -> bytes:
    """The app as one silent line of the watch's console, without comments and indentation."""
    text = files(__package__).joinpath("bangle.js").read_text("ascii")
    lines = (re.sub(r"(^|\s+)// .*", "", line).strip() for line in text.splitlines())
    return b"\x10" + "\x1b\n".join(line for line in lines if line).encode() + b"\n"


class BangleTransport(GattTransport):
    """One connection to a Bangle.js; see `Transport`.

    Args:
        peripheral: Not yet opened.
        rate: Sampling rate in Hz, 0 for the app's own 50 Hz.
    """

    def __init__(self, peripheral: Peripheral, rate: float = 0.0) -> None:
        super().__init__(peripheral, _CHANNEL)
        self._attach = _ATTACH.format(rate=rate).encode()
        self._said, self._first = b"", list[bytes]()

    async def open(self) -> None:
        """Find the watch, connect, and have the app take the line, uploaded if it is not there.

        Raises:
            ConnectError: If the watch does not let itself be programmed; the message says what to do.
        """
        await super().open()
        await self._type(self._attach)
        if await self._is_taken():
            return
        self._said = b""
        await self._type(_CTRL_C + app())
        await asyncio.sleep(_SETTLE_S)  # a last XOFF must not have its XON in the middle of a frame
        await self._type(self._attach)
        if not await self._is_taken():
            raise ConnectError(self._refusal(), 5.0)

    async def read(self) -> Arrival:
        """Wait for messages, those first that came while the app took the line; see `Transport`."""
        if self._first:
            messages, self._first = self._first, []
            return Arrival(messages, time.monotonic())
        return await super().read()

    async def _is_taken(self) -> bool:
        """Whether the app has the line: its first byte is a zero, which no console prints."""
        try:
            async with asyncio.timeout(_PATIENCE):
                while b"\0" not in self._said:
                    if _UNKNOWN in self._said:
                        return False
                    self._hear((await self.peripheral.hear()).value)
        except TimeoutError:
            return False
        self._first = self._frames.push(self._said.partition(b"\0")[2])
        return True

    async def _type(self, text: bytes) -> None:
        size = self.peripheral.payload(_CHANNEL.write)
        for start in range(0, len(text), size):
            await self._wait_for_room()
            await self.peripheral.write(_CHANNEL.write, text[start : start + size])
            await asyncio.sleep(size / _PACE)

    async def _wait_for_room(self) -> None:
        """Wait while the watch holds us back: its input buffer is small, and what overflows it is lost."""
        for said in self.peripheral.hear_more():
            self._hear(said.value)
        try:
            async with asyncio.timeout(_HOLD_S):
                while self._said.partition(b"\0")[0].rfind(_XOFF) > self._said.rfind(_XON):
                    self._hear((await self.peripheral.hear()).value)
        except TimeoutError:
            raise ConnectError("the watch stopped listening; hold its button to restart it", 5.0) from None

    def _hear(self, value: bytes) -> None:
        self._said = (self._said + value)[-_KEPT:]

    def _refusal(self) -> str:
        text = self._said.decode("ascii", "replace").strip()
        if "assword" in text:
            return "the watch's console has a password; remove it: E.setPassword() in the Web IDE"
        if text:
            return f"the watch says {text[-80:]!r}; close what runs on it, or update its firmware"
        return "the watch's console does not answer; switch on Settings, Bluetooth, Programmable"


@dataclass(frozen=True, slots=True)
class BangleProfile:
    """The watch; see `WireProfile`."""

    name: str = "bangle"
    title: str = "Bangle.js 1 and 2"
    carrier: Literal["ble", "serial"] = "ble"
    checked: str = "Espruino's sources; our app ran on its interpreter; never on a watch"

    def recognises(self, advertisement: Advertisement) -> bool:
        """Whether it calls itself Bangle.js."""
        return advertisement.name.startswith("Bangle.js")

    def transport(self, peripheral: Peripheral, wishes: Wishes) -> BangleTransport:
        """One connection.

        Raises:
            SourceError: If the rate is one that the watch does not have.
        """
        rate = wishes.rate or 0.0
        if rate and not RATES[0] <= rate <= RATES[1]:
            raise SourceError(f"a Bangle.js samples at {RATES[0]:g} to {RATES[1]:g} Hz, not {rate:g}")
        return BangleTransport(peripheral, rate)

    def decoder(self) -> Decoder:
        """None: it speaks our wire protocol."""
        raise SourceError("a Bangle.js is reached over Bluetooth: ble:Bangle.js%201234")


BANGLE: Final = BangleProfile()

"""The device's end of a link; VirtualPort: of a pseudo-terminal at a path that outlives being unplugged."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import shutil
import tempfile
import termios
import time
import tty
from pathlib import Path
from typing import Final, Protocol

from img2imu_bridge.wire.framing import FrameReader, encode_frame
from img2imu_bridge.wire.protocol import MAX_MESSAGE

_LOOKS: Final = 6
_LOOK_EVERY_S: Final = 0.003


class Port(Protocol):
    """The device's end of a link, whatever it is made of. Nothing in it raises because the host is away.

    Attributes:
        longest: Most bytes that a message may have.
    """

    longest: int

    @property
    def plugged(self) -> bool:
        """Whether there is something for the host to connect to."""
        ...

    def plug(self) -> None:
        """Make it appear."""
        ...

    def unplug(self) -> None:
        """Make it vanish: whoever is connected loses the connection."""
        ...

    def encode(self, message: bytes) -> bytes:
        """What leaves for a message."""
        ...

    def write(self, data: bytes) -> int:
        """Send what fits of an encoded message without waiting; returns how many bytes did."""
        ...

    def read(self) -> list[bytes]:
        """Messages that the host sent, or none."""
        ...

    def wait(self, seconds: float, *, writable: bool) -> None:
        """Wait until the host has sent something, until there is room to write if asked, or for so long."""
        ...

    def settle(self, seconds: float) -> None:
        """Wait until the host has everything that was written, at most so long."""
        ...


class VirtualPort:
    """The device's end of a serial cable: a `Port`.

    Attributes:
        path: What the host opens: a link to the current pseudo-terminal.
        longest: Most bytes that a message may have.
    """

    def __init__(self) -> None:
        self.longest = MAX_MESSAGE
        self._frames = FrameReader()
        self._folder = Path(tempfile.mkdtemp(prefix="img2imu-"))
        self.path = self._folder / "wearable"
        self._master = self._slave = -1

    @property
    def plugged(self) -> bool:
        """Whether there is a port to open."""
        return self._master >= 0

    def plug(self) -> None:
        """Make the port appear."""
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.path.symlink_to(os.ttyname(self._slave))

    def unplug(self) -> None:
        """Make the port vanish: whoever has it open is hung up on."""
        self.path.unlink(missing_ok=True)
        for end in (self._slave, self._master):
            with contextlib.suppress(OSError):
                os.close(end)
        self._master = self._slave = -1
        self._frames = FrameReader()

    def encode(self, message: bytes) -> bytes:
        """A message's frame."""
        return encode_frame(message)

    def write(self, data: bytes) -> int:
        """Write what fits without waiting; returns how many bytes did."""
        try:
            return os.write(self._master, data)
        except BlockingIOError:
            return 0

    def read(self) -> list[bytes]:
        """Messages that the host sent, or none."""
        try:
            return self._frames.push(os.read(self._master, 4096))
        except OSError:
            return []

    def wait(self, seconds: float, *, writable: bool) -> None:
        """Wait until the host has sent something, until there is room to write if asked, or for so long."""
        wanted = [self._master] if self.plugged else []
        select.select(wanted, wanted if writable else [], [], max(0.0, seconds))

    def settle(self, seconds: float) -> None:
        """Wait until the host has read everything that was written, at most so long."""
        end = time.monotonic() + seconds
        empty = 0
        # Bytes reach the far end's buffer a moment after they were written, hence more than one look.
        while empty < _LOOKS and time.monotonic() < end:
            waiting = fcntl.ioctl(self._slave, termios.FIONREAD, bytes(4))
            empty = 0 if any(waiting) else empty + 1
            time.sleep(_LOOK_EVERY_S)

    def remove(self) -> None:
        """Leave nothing behind."""
        if self.plugged:
            self.unplug()
        shutil.rmtree(self._folder, ignore_errors=True)

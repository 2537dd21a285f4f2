"""Transport: whole messages to and from one device, whatever carries them."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from img2imu_edge.errors import SourceError
from img2imu_edge.source import LinkStats


class ConnectError(SourceError):
    """A connection that could not be made, this time.

    Attributes:
        pause: Seconds that the cause is likely to last; a next try before that is in vain.
    """

    def __init__(self, message: str, pause: float = 0.0) -> None:
        super().__init__(message)
        self.pause = pause


class LinkLostError(SourceError):
    """A connection that worked is gone: unplugged, out of range, or silent."""


class Arrival(NamedTuple):
    """Messages that became complete with the same piece of input.

    Attributes:
        messages: Undamaged messages in order of arrival, without framing; may be empty.
        received: `time.monotonic()` when their last byte arrived.
    """

    messages: list[bytes]
    received: float


class Transport(Protocol):
    """One connection to one device: opened once, closed however it ended, never opened again.

    A transport buffers a bounded amount: a slow consumer makes it stop reading where the carrier can hold
    data back.

    Attributes:
        stats: The counters it was made with; it keeps `bytes_received` and `corrupt` current.
    """

    stats: LinkStats

    async def open(self) -> None:
        """Connect.

        Raises:
            SourceError: If that fails; the message says what to do.
        """
        ...

    async def read(self) -> Arrival:
        """Wait for the next messages. Cancelling loses none.

        Raises:
            LinkLostError: If the connection is gone and all that arrived before was read.
        """
        ...

    async def write(self, message: bytes) -> None:
        """Send one message.

        Raises:
            LinkLostError: If the connection is gone or takes nothing more.
        """
        ...

    async def close(self) -> None:
        """Release everything. May be called at any time, and again."""
        ...

    def describe_failure(self) -> str:
        """Say why the device may not have answered, judged by what came since `open`, and what to try."""
        ...

"""What systemd is told while it runs us as a service: that we are ready, that we live, that we stop.

Its protocol is a datagram to the socket in `NOTIFY_SOCKET` (sd_notify(3)). `WATCHDOG_USEC` is the longest
time between two signs of life (sd_watchdog_enabled(3)). Without the two, nothing is told.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncGenerator


def notify(state: str) -> None:
    """Tell systemd a state such as `READY=1`; nobody may be listening."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address or not hasattr(socket, "AF_UNIX"):
        return
    if address.startswith("@"):
        address = "\0" + address[1:]  # Linux's abstract sockets
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.connect(address)
        told.sendall(state.encode())


@contextlib.asynccontextmanager
async def serving() -> AsyncGenerator[None]:
    """Tell that we are ready, then give signs of life for as long as the event loop turns, then that we stop.

    A device that is silent for days is no reason to be restarted: the sources find it again by themselves.
    """
    notify("READY=1")
    period = int(os.environ.get("WATCHDOG_USEC", "0")) / 1e6 / 2
    beating = asyncio.create_task(_beat(period)) if period else None
    try:
        yield
    finally:
        if beating:
            beating.cancel()
        notify("STOPPING=1")


async def _beat(period: float) -> None:
    while True:
        notify("WATCHDOG=1")
        await asyncio.sleep(period)

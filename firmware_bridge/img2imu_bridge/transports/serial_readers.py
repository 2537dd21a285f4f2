"""Waiting for a serial port's bytes without blocking the event loop, and without taking more than is used."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from typing import Any, Final, NamedTuple, Protocol

import serial

from img2imu_bridge.transport import LinkLostError

_CHUNK: Final = 65536
_LIMIT: Final = 16  # chunks; what comes then waits in the kernel
_POLL_SECONDS: Final = 0.1


class Chunk(NamedTuple):
    """Bytes that were read at once, and `time.monotonic()` when that was."""

    data: bytes
    received: float


class Reader(Protocol):
    """Reads a port from when it is made until it is stopped."""

    async def get(self) -> Chunk:
        """Wait for the next bytes; cancelling loses none.

        Raises:
            LinkLostError: If there is no port any more.
        """
        ...

    async def stop(self) -> None:
        """Let go of the port, which stays open."""
        ...


class PollReader:
    """Reads when the system says that there is something; for POSIX."""

    def __init__(self, port: Any) -> None:
        """Start reading `port`, an open `serial.Serial`."""
        port.timeout = 0
        self._port = port
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[Chunk | LinkLostError] = asyncio.Queue(_LIMIT)
        self._watching = False
        self._watch()

    async def get(self) -> Chunk:
        """Wait for the next bytes."""
        item = await self._queue.get()
        if isinstance(item, LinkLostError):
            self._queue.put_nowait(item)  # for whoever asks again
            raise item
        if self._port is not None:
            self._watch()
        return item

    async def stop(self) -> None:
        """Stop reading."""
        self._unwatch()
        self._port = None

    def _watch(self) -> None:
        if not self._watching:
            self._loop.add_reader(self._port.fileno(), self._on_readable)
            self._watching = True

    def _unwatch(self) -> None:
        if self._watching:
            self._loop.remove_reader(self._port.fileno())
            self._watching = False

    def _on_readable(self) -> None:
        try:
            # pyserial asks the system again whether there is something. We know, unless the port hung up.
            data = os.read(self._port.fileno(), _CHUNK) or self._port.read(_CHUNK)
        except BlockingIOError:
            return
        except (serial.SerialException, OSError) as error:
            self._unwatch()
            self._port = None
            self._queue.put_nowait(_lost(error))
            return
        if data:
            self._queue.put_nowait(Chunk(data, time.monotonic()))
        if self._queue.full():
            self._unwatch()


class ThreadReader:
    """Reads in a thread; for systems whose event loop cannot watch a serial port."""

    def __init__(self, port: Any) -> None:
        """Start reading `port`, an open `serial.Serial`."""
        port.timeout = _POLL_SECONDS
        self._port = port
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[Chunk | LinkLostError] = asyncio.Queue()
        self._room = threading.Semaphore(_LIMIT)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"read {port.port}", daemon=True)
        self._thread.start()

    async def get(self) -> Chunk:
        """Wait for the next bytes."""
        item = await self._queue.get()
        if isinstance(item, LinkLostError):
            self._queue.put_nowait(item)
            raise item
        self._room.release()
        return item

    async def stop(self) -> None:
        """Stop reading; takes a tenth of a second at most."""
        self._stopping.set()
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        while not self._stopping.is_set():
            if not self._room.acquire(timeout=_POLL_SECONDS):
                continue
            try:
                # Waits for one byte and takes all that came along; a fixed size would wait for more.
                data = self._port.read(max(1, self._port.in_waiting))
            except (serial.SerialException, OSError) as error:
                self._put(_lost(error))
                return
            if data:
                self._put(Chunk(data, time.monotonic()))
            else:
                self._room.release()

    def _put(self, item: Chunk | LinkLostError) -> None:
        # A loop that was closed under a running source takes nothing more; the thread just ends then.
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._queue.put_nowait, item)


def _lost(error: Exception) -> LinkLostError:
    # pyserial's words for a hang-up are long and doubtful ("multiple access on port?"); we hold the lock.
    reason = "" if "returned no data" in str(error) else f" ({error})"
    return LinkLostError(f"the serial port is gone; the device was unplugged or switched off{reason}")

"""A genuine dbus-daemon as the bench's bus, listening where nobody else looks."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import tempfile
from pathlib import Path

from dbus_fast import BusType, Message, MessageType
from dbus_fast.aio import MessageBus

from tests.ble.bus import NAME, PATH, Gone, Receive

DAEMON = shutil.which("dbus-daemon")

_CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path={path}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"""
_AHEAD = 32


class DaemonBus:
    """A dbus-daemon, and the connection of the one service on it; see `Bus`."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="img2imu-bus-"))
        self._path = self._folder / "bus"
        self.address = f"unix:path={self._path}"
        self._process: asyncio.subprocess.Process | None = None
        self._service: MessageBus | None = None
        self._unconfirmed = 0

    async def start(self) -> None:
        assert DAEMON is not None, "dbus-daemon is missing"
        config, complaints = self._folder / "bus.conf", self._folder / "complaints"
        config.write_text(_CONFIG.format(path=self._path))
        with complaints.open("wb") as stderr:
            self._process = await asyncio.create_subprocess_exec(
                *(DAEMON, f"--config-file={config}", "--nofork", "--nopidfile", "--print-address"),
                stdout=asyncio.subprocess.PIPE,
                stderr=stderr,
            )
        assert self._process.stdout is not None
        assert await self._process.stdout.readline(), complaints.read_text()

    async def serve(self, name: str, receive: Receive, gone: Gone) -> None:
        service = MessageBus(self.address, BusType.SYSTEM, negotiate_unix_fd=True)

        def handle(message: Message) -> bool:
            if message.message_type is MessageType.METHOD_CALL:
                receive(message)
                return True
            if message.member == "NameOwnerChanged" and not message.body[2]:
                gone(message.body[0])
            return False

        service.add_message_handler(handle)
        await service.connect()
        rule = f"type='signal',sender='{NAME}',member='NameOwnerChanged'"
        await service.call(_to_daemon("AddMatch", "s", [rule]))
        await service.request_name(name)
        self._service = service

    def send(self, message: Message) -> None:
        sent: asyncio.Future[None] | None = None
        if self._service is not None and self._service.connected:
            self._unconfirmed += 1
            sent = self._service.send(message)

        def close(_: object) -> None:
            for descriptor in message.unix_fds:
                os.close(descriptor)

        close(None) if sent is None else sent.add_done_callback(close)

    async def drain(self) -> None:
        # dbus-fast gives up its connection when the socket is full, so ask now and then whether it is.
        service = self._service
        if service is not None and service.connected and self._unconfirmed >= _AHEAD:
            self._unconfirmed = 0
            with contextlib.suppress(EOFError, OSError):
                await service.call(_to_daemon("GetId"))

    async def leave(self) -> None:
        service, self._service = self._service, None
        if service is not None:
            service.disconnect()
            await service.wait_for_disconnect()

    async def stop(self) -> None:
        await self.leave()
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            await process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)


def _to_daemon(member: str, signature: str = "", body: list[object] | None = None) -> Message:
    return Message(NAME, PATH, NAME, member, signature=signature, body=body or [])

"""A private message bus: a dbus-daemon that listens where nobody else looks, whoever the user is."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from dbus_fast import BusType, Message, MessageType
from dbus_fast.aio import MessageBus

DAEMON = shutil.which("dbus-daemon")

_CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path={path}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <allow own="*"/>
    <allow send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
    <allow receive_type="signal"/>
  </policy>
</busconfig>
"""

Handler = Callable[[Message], None]
_AHEAD = 32


def _to_daemon(member: str, signature: str = "", body: list[object] | None = None) -> Message:
    name, path = "org.freedesktop.DBus", "/org/freedesktop/DBus"
    return Message(name, path, name, member, signature=signature, body=body or [])


class DaemonBus:
    """A dbus-daemon of our own, and the connection of the one service on it.

    Attributes:
        address: For `DBUS_SYSTEM_BUS_ADDRESS`.
    """

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="img2imu-bus-"))
        self._path = self._folder / "bus"
        self.address = f"unix:path={self._path}"
        self._process: asyncio.subprocess.Process | None = None
        self._service: MessageBus | None = None
        self._unconfirmed = 0

    async def start(self) -> None:
        """Start the daemon; returns once it listens."""
        if DAEMON is None:
            raise FileNotFoundError("dbus-daemon")
        config = self._folder / "bus.conf"
        config.write_text(_CONFIG.format(path=self._path))
        self._process = await asyncio.create_subprocess_exec(
            *(DAEMON, f"--config-file={config}", "--nofork", "--nopidfile", "--print-address"),
            stdout=asyncio.subprocess.PIPE,
        )
        assert self._process.stdout is not None
        if not await self._process.stdout.readline():
            raise OSError("dbus-daemon did not start")

    async def serve(self, name: str, call: Handler, gone: Callable[[str], None]) -> None:
        """Own a name.

        Args:
            name: The well-known name.
            call: Is given each method call, and answers it by `send`.
            gone: Is told the unique name of each client that left.
        """
        service = MessageBus(self.address, BusType.SYSTEM, negotiate_unix_fd=True)

        def handle(message: Message) -> bool:
            if message.message_type is MessageType.METHOD_CALL:
                call(message)
                return True
            if message.member == "NameOwnerChanged" and not message.body[2]:
                gone(message.body[0])
            return False

        service.add_message_handler(handle)
        await service.connect()
        rule = "type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged'"
        await service.call(_to_daemon("AddMatch", "s", [rule]))
        await service.request_name(name)
        self._service = service

    @property
    def serving(self) -> bool:
        """Whether the name is owned."""
        return self._service is not None

    def send(self, message: Message) -> None:
        """Send an answer or a signal; into the void if the service has gone."""
        if self._service is not None and self._service.connected:
            self._unconfirmed += 1
            self._service.send(message)

    async def drain(self) -> None:
        """Wait until the daemon has taken nearly all that was sent; dbus-fast gives up on a full socket."""
        service = self._service
        if service is not None and service.connected and self._unconfirmed >= _AHEAD:
            self._unconfirmed = 0
            await service.call(_to_daemon("GetId"))

    async def leave(self) -> None:
        """Give up the name, as a service does that crashes."""
        service, self._service = self._service, None
        if service is not None:
            service.disconnect()
            await service.wait_for_disconnect()

    async def stop(self) -> None:
        """End the daemon: every client loses its connection."""
        await self.leave()
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            await process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

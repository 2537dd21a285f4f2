"""A private message bus in a few lines of Python: a service, and whoever wants to talk to it.

It needs no D-Bus on the machine and no rights. What clients see of it is what they see of a dbus-daemon;
`DaemonBus` puts a genuine one in its place, to hold this one against.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import shutil
import socket
import tempfile
from array import array
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from dbus_fast import Message, MessageType
from dbus_fast._private.unmarshaller import Unmarshaller

NAME, PATH = "org.freedesktop.DBus", "/org/freedesktop/DBus"
Receive = Callable[[Message], None]
Gone = Callable[[str], None]
_MOST_WAITING = 8 << 20
_GUID = "0123456789abcdef" * 2


class Bus(Protocol):
    """A message bus of which one service is ours.

    Attributes:
        address: For `DBUS_SYSTEM_BUS_ADDRESS`.
    """

    address: str

    async def start(self) -> None:
        """Listen."""
        ...

    async def serve(self, name: str, receive: Receive, gone: Gone) -> None:
        """Own a name.

        Args:
            name: The well-known name.
            receive: Is given each method call, and answers it by `send`.
            gone: Is told the unique name of each client that left.
        """
        ...

    def send(self, message: Message) -> None:
        """Send an answer or a signal, and close its file descriptors; into the void if nobody serves."""
        ...

    async def drain(self) -> None:
        """Wait until there is room for more."""
        ...

    async def leave(self) -> None:
        """Give up the name, as a service does that crashes."""
        ...

    async def stop(self) -> None:
        """End it: every client loses its connection."""
        ...


class PrivateBus:
    """Ours; see `Bus`."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="img2imu-bus-"))
        self.address = f"unix:path={self._folder / 'bus'}"
        self._clients: dict[str, _Client] = {}
        self._made = 0
        self._service: tuple[str, Receive, Gone] | None = None
        self._listener = socket.socket(socket.AF_UNIX)

    async def start(self) -> None:
        self._listener.bind(str(self._folder / "bus"))
        self._listener.listen()
        self._listener.setblocking(False)
        asyncio.get_running_loop().add_reader(self._listener, self._accept)

    async def serve(self, name: str, receive: Receive, gone: Gone) -> None:
        self._service = name, receive, gone

    def send(self, message: Message) -> None:
        if self._service is None:
            pass
        elif message.message_type is not MessageType.SIGNAL:
            if (client := self._clients.get(message.destination or "")) is not None:
                client.send(message)
                return
        else:
            for client in [*self._clients.values()]:
                if any(_matches(rule, message) for rule in client.rules):
                    client.send(message)
        for descriptor in message.unix_fds:
            os.close(descriptor)

    async def drain(self) -> None:
        for client in [*self._clients.values()]:
            while client.waiting > _MOST_WAITING:  # noqa: ASYNC110 - only if a client is far behind
                await asyncio.sleep(0.001)

    async def leave(self) -> None:
        self._service = None

    async def stop(self) -> None:
        await self.leave()
        if self._listener.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self._listener)
            self._listener.close()
        for client in [*self._clients.values()]:
            client.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            self._made += 1
            name = f":1.{self._made}"
            self._clients[name] = _Client(name, self._listener.accept()[0], self._dispatch, self._left)

    def _left(self, name: str) -> None:
        if self._clients.pop(name, None) is not None and self._service is not None:
            self._service[2](name)

    def _dispatch(self, client: _Client, message: Message) -> None:
        if message.message_type is not MessageType.METHOD_CALL:
            return
        message.sender = client.name
        if message.destination == NAME:
            client.send(self._answer(client, message))
        elif self._service is not None and message.destination == self._service[0]:
            self._service[1](message)
        else:
            text = f"The name {message.destination} was not provided by any .service files"
            client.send(Message.new_error(message, f"{NAME}.Error.ServiceUnknown", text))

    def _answer(self, client: _Client, message: Message) -> Message:
        """Be the bus itself."""
        owned = [NAME] if self._service is None else [NAME, self._service[0]]
        match message.member:
            case "Hello":
                return Message.new_method_return(message, "s", [client.name])
            case "AddMatch":
                client.rules.append(_rule(message.body[0]))
                return Message.new_method_return(message)
            case "RemoveMatch" if (rule := _rule(message.body[0])) in client.rules:
                client.rules.remove(rule)
                return Message.new_method_return(message)
            case "NameHasOwner":
                return Message.new_method_return(message, "b", [message.body[0] in owned])
            case "GetNameOwner" if message.body[0] in owned:
                return Message.new_method_return(message, "s", [message.body[0]])
            case "GetNameOwner":
                text = f"Could not get owner of name '{message.body[0]}': no such name"
                return Message.new_error(message, f"{NAME}.Error.NameHasNoOwner", text)
        return Message.new_error(message, f"{NAME}.Error.UnknownMethod", f"{message.member} is unknown")


class _Client:
    """One connection."""

    def __init__(
        self,
        name: str,
        sock: socket.socket,
        dispatch: Callable[[_Client, Message], None],
        left: Callable[[str], None],
    ) -> None:
        self.name = name
        self.rules: list[dict[str, str]] = []
        self.waiting = 0  # bytes
        self._sock, self._dispatch, self._left = sock, dispatch, left
        self._loop = asyncio.get_running_loop()
        self._out: deque[tuple[memoryview, list[int]]] = deque()
        self._serial = 0
        sock.setblocking(False)
        self._incoming = Unmarshaller(None, sock, negotiate_unix_fd=True)
        self._loop.add_reader(sock, self._authenticate)

    def send(self, message: Message) -> None:
        self._serial += 1
        message.serial = self._serial
        data = memoryview(message._marshall(negotiate_unix_fd=True))
        self.waiting += len(data)
        self._out.append((data, message.unix_fds))
        if len(self._out) == 1:
            self._flush()

    def close(self) -> None:
        self._loop.remove_reader(self._sock)
        self._loop.remove_writer(self._sock)
        self._sock.close()
        for _, descriptors in self._out:
            for descriptor in descriptors:
                os.close(descriptor)
        self._out.clear()
        self.waiting = 0
        self._left(self.name)

    def _authenticate(self) -> None:
        """Say yes to everybody: the socket's folder is for its owner alone."""
        ahead = self._sock.recv(4096, socket.MSG_PEEK)
        line = self._sock.recv(ahead.find(b"\r\n") + 2 if b"\r\n" in ahead else len(ahead)).strip(b"\0\r\n")
        answers = {b"AUTH": f"OK {_GUID}\r\n", b"NEGOTIATE_UNIX_FD": "AGREE_UNIX_FD\r\n"}
        if not ahead:
            self.close()
        elif line == b"BEGIN":
            self._loop.add_reader(self._sock, self._read)
        elif line:
            self._sock.send(answers.get(line.split(b" ")[0], "ERROR\r\n").encode())

    def _read(self) -> None:
        try:
            while (message := self._incoming.unmarshall()) is not None:
                self._dispatch(self, message)
        except (EOFError, OSError):
            self.close()

    def _flush(self) -> None:
        try:
            while self._out:
                data, descriptors = self._out[0]
                rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", descriptors))]
                sent = self._sock.sendmsg([data], rights if descriptors else [])
                for descriptor in descriptors:
                    os.close(descriptor)
                self.waiting -= sent
                if sent < len(data):
                    self._out[0] = data[sent:], []
                else:
                    self._out.popleft()
            self._loop.remove_writer(self._sock)
        except BlockingIOError:
            self._loop.add_writer(self._sock, self._flush)
        except OSError:
            self.close()


def _rule(text: str) -> dict[str, str]:
    lexer = shlex.shlex(text, posix=True)
    lexer.whitespace, lexer.whitespace_split, lexer.commenters = ",", True, ""
    lexer.quotes = "'"
    return dict(part.split("=", 1) for part in lexer)


def _matches(rule: dict[str, str], signal: Message) -> bool:
    """Whether a client wants a signal; the parts of match rules that clients of BlueZ use."""
    path = signal.path or ""
    first = signal.body[0] if signal.body and isinstance(signal.body[0], str) else ""
    for key, value in rule.items():
        match key:
            case "interface" if signal.interface != value:
                return False
            case "member" if signal.member != value:
                return False
            case "path" if path != value:
                return False
            case "path_namespace" if path != value and not path.startswith(value.rstrip("/") + "/"):
                return False
            case "arg0path" if not _related(first, value):
                return False
    return True


def _related(path: str, wanted: str) -> bool:
    """Whether paths are equal, or one that ends in a slash is above the other."""
    up = wanted.endswith("/") and path.startswith(wanted)
    down = path.endswith("/") and wanted.startswith(path)
    return path == wanted or up or down

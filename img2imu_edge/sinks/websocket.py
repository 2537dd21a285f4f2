"""`ws://127.0.0.1:8766`, `wss://…`: a server that pushes each message as JSON to whoever connects."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import socket
import ssl
import threading
from collections import deque
from collections.abc import Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import SplitResult, urlsplit

from img2imu_edge.errors import OutputError
from img2imu_edge.extras import extra
from img2imu_edge.interfaces import in_url
from img2imu_edge.options import options_of
from img2imu_edge.sinks.messages import Message, dated
from img2imu_edge.sinks.serving import ServingOptions, address_of, check_token, listen, server_tls, shows

if TYPE_CHECKING:
    from websockets.asyncio.server import ServerConnection
    from websockets.http11 import Request, Response

READER_QUEUE: Final = 256
"""Lines that may wait for a slow reader; beyond it the oldest are dropped, and the reader is told."""

_LEAVE_S: Final = 2.0
# Any web page that somebody has open can connect to this computer; its browser says whose page it is.
_OWN_PAGE: Final = re.compile(r"https?://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?")


def open_websocket(url: SplitResult, _labels: Sequence[str]) -> WebSocketSink:
    """The sink behind a `ws://` or `wss://` URL.

    Raises:
        MissingExtraError: If websockets is not installed.
        OutputError: If the URL is wrong, its certificate cannot be read, or others than this computer would
            need no token.
    """
    with extra("websocket", f"{url.scheme}://"):
        import websockets.asyncio.server  # noqa: F401
    host, port = address_of(url, 8766)
    options = options_of(url, ServingOptions, OutputError)
    if url.scheme == "wss" and not options.cert:
        raise OutputError("wss:// needs a certificate, ?cert=its.pem&key=its.key")
    if url.scheme == "ws" and options.cert:
        raise OutputError("ws:// has no TLS, and no use for a certificate; write wss://")
    check_token(url.scheme, host, options.token)
    return WebSocketSink(host, port, options.token, server_tls(options.cert, options.key))


class WebSocketSink:
    """Pushes to any number of readers, each at its own pace; see `Sink`.

    A reader gets what is made from its connection on. The server has an event loop of its own, in a thread.

    Args:
        host: Address to listen on.
        port: Port; 0 for any.
        token: What readers must show; empty for nothing, which is for this computer alone.
        tls: With our certificate; None for no TLS.
    """

    def __init__(self, host: str, port: int, token: str = "", tls: ssl.SSLContext | None = None) -> None:
        self._host, self.port, self._token, self._tls = host, port, token, tls
        self._scheme = "wss" if tls else "ws"
        self.warnings: list[str] = []
        self._readers: set[_Reader] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end = asyncio.Event()
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Where readers connect to."""
        return f"{self._scheme}://{in_url(self._host)}:{self.port}"

    def start(self) -> None:
        """Listen from now on.

        Raises:
            OutputError: If the port is taken, or the address not this computer's.
        """
        listener = listen(self._scheme, self._host, self.port)
        self.port = listener.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        serving = self._serve(self._loop, listener)
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(serving,), daemon=True)
        self._thread.start()

    def take(self, message: Message) -> None:
        """Leave a line to every reader's queue."""
        if self._loop:
            line = json.dumps(dated(message), ensure_ascii=False)
            self._loop.call_soon_threadsafe(self._push, line)

    def close(self) -> int:
        """Give readers a moment for what waits, then close their connections."""
        thread, self._thread = self._thread, None
        if thread is not None and self._loop:
            self._loop.call_soon_threadsafe(self._end.set)
            thread.join(2 * _LEAVE_S + 1)
            if not thread.is_alive():
                self._loop.close()
        return 0

    def _push(self, line: str) -> None:
        for reader in self._readers:
            reader.put(line)

    async def _serve(self, loop: asyncio.AbstractEventLoop, listener: socket.socket) -> None:
        from websockets.asyncio.server import serve

        async with serve(
            self._follow,
            sock=listener,
            ssl=self._tls,
            process_request=self._check,
            max_size=1024,  # readers have nothing to say
            close_timeout=_LEAVE_S,
            compression=None,  # small lines, and memory for each reader
            logger=_quiet(),
        ):
            await self._end.wait()
            for reader in self._readers:
                reader.put(None)
            end = loop.time() + _LEAVE_S
            while self._readers and loop.time() < end:  # noqa: ASYNC110 - a moment, once
                await asyncio.sleep(0.02)

    def _check(self, connection: ServerConnection, request: Request) -> Response | None:
        query = urlsplit(request.path).query
        if not shows(self._token, request.headers.get("Authorization", ""), query):
            return connection.respond(HTTPStatus.UNAUTHORIZED, "wrong token\n")
        origin = request.headers.get("Origin")
        if origin and not self._token and not _OWN_PAGE.fullmatch(origin):
            return connection.respond(HTTPStatus.FORBIDDEN, "pages of other computers need a token\n")
        return None

    async def _follow(self, connection: ServerConnection) -> None:
        reader = _Reader()
        self._readers.add(reader)
        sending = asyncio.create_task(reader.send(connection))
        try:
            leaving = asyncio.create_task(connection.wait_closed())
            await asyncio.wait((sending, leaving), return_when=asyncio.FIRST_COMPLETED)
            leaving.cancel()
        finally:
            self._readers.discard(reader)
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)


class _Reader:
    """Lines on their way to one reader; None ends them."""

    def __init__(self) -> None:
        self._lines: deque[str | None] = deque()
        self._dropped = 0
        self._some = asyncio.Event()

    def put(self, line: str | None) -> None:
        if len(self._lines) >= READER_QUEUE:
            self._lines.popleft()
            self._dropped += 1
        self._lines.append(line)
        self._some.set()

    async def send(self, connection: ServerConnection) -> None:
        while True:
            await self._some.wait()
            self._some.clear()
            while self._lines:
                if self._dropped:
                    dropped, self._dropped = self._dropped, 0
                    await connection.send(json.dumps({"event": "dropped", "messages": dropped}))
                line = self._lines.popleft()
                if line is None:
                    return
                await connection.send(line)


def _quiet() -> logging.Logger:
    """A logger that keeps the library's notes on odd requests off the screen."""
    logger = logging.getLogger("img2imu.websocket")
    logger.setLevel(logging.CRITICAL)
    return logger

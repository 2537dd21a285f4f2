"""The HTTP side: takes the app's pushes, and refuses everything else early.

Starlette and uvicorn do the protocol: in Python alone, and kept well, which a parser of our own would not be.
"""

from __future__ import annotations

import asyncio
import hmac
import socket
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from img2imu_bridge.sensorlogger.messages import MessageError
from img2imu_edge.errors import SourceError
from img2imu_edge.extras import extra
from img2imu_edge.interfaces import is_loopback, listen
from img2imu_edge.web import WebServer

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

MOST_BYTES: Final = 4 << 20
"""Of one push. A second of all sensors is 100 kB; more is sent by the camera, or after a minute's batch."""

MOST_A_SECOND: Final = 20.0
"""Pushes a second, on average; the app sends one each batch period, of a tenth of a second or more."""

_MOST_THROWN_AWAY: Final = 4 * MOST_BYTES
_BURST: Final = 60.0
_BODY_S: Final = 10.0
_CONNECTIONS: Final = 32


class BusyError(Exception):
    """What came cannot be taken now."""


class Inbox:
    """A server for one source.

    Args:
        host: Address to listen on.
        port: Port; 0 for any.
        token: What senders must show; empty for nothing, which is for this computer alone.
        take: Takes a body; raises `MessageError` or `BusyError`.

    Raises:
        SourceError: If others than this computer could push without a token.
    """

    def __init__(self, host: str, port: int, token: str, take: Callable[[bytes], None]) -> None:
        if not is_loopback(host) and not token:
            raise SourceError(
                f"on {host} anyone in the network could push; give a token, &token=… with eight letters or "
                "more, and enter it in the app"
            )
        self._host, self._port, self._token, self._take = host, port, token.encode(), take
        self._tokens, self._filled = _BURST, time.monotonic()
        self._server: WebServer | None = None

    @property
    def port(self) -> int:
        """The port; after `open`, the one that was given if any would do."""
        return self._port

    async def open(self) -> None:
        """Listen from now on.

        Raises:
            MissingExtraError: If the web server is not installed.
            SourceError: If the port is taken, or the address not this computer's.
        """
        with extra("web", "sensorlogger:"):
            import uvicorn  # noqa: F401
            from starlette.applications import Starlette
            from starlette.routing import Route

        listener = self._listen()
        app = Starlette(routes=[Route("/{path:path}", self._push, methods=["POST"])])
        self._server = WebServer(app, listener, _CONNECTIONS, ws="none")

    async def close(self) -> None:
        """Listen no more."""
        server, self._server = self._server, None
        if server is not None:
            await server.close()

    def _listen(self) -> socket.socket:
        try:
            listener = listen(self._host, self._port)
        except (OSError, OverflowError) as error:
            raise SourceError(
                f"cannot listen on {self._host} port {self._port} ({getattr(error, 'strerror', error)}); is "
                "another img2imu running? Choose another port with &port="
            ) from error
        self._port = listener.getsockname()[1]
        return listener

    async def _push(self, request: Request) -> Response:
        from starlette.responses import PlainTextResponse
        from starlette.responses import Response as Answer

        if not self._is_known(request):
            return PlainTextResponse("wrong token", 401, {"WWW-Authenticate": "Bearer"})
        # A web page that somebody has open cannot push this type without asking first.
        if request.headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
            return PlainTextResponse("application/json is expected", 415)
        if not self._in_time():
            return PlainTextResponse("too many messages; make the batch period longer", 429)
        try:
            async with asyncio.timeout(_BODY_S):
                body = await _body(request)
        except TimeoutError:
            return PlainTextResponse("too slow", 408, {"Connection": "close"})
        if body is None:
            text = f"more than {MOST_BYTES} bytes; make the batch period shorter, and leave the camera off"
            return PlainTextResponse(text, 413, {"Connection": "close"})
        try:
            self._take(body)
        except MessageError as error:
            return PlainTextResponse(str(error), 400)
        except BusyError as error:
            return PlainTextResponse(str(error), 503)
        return Answer(status_code=200)

    def _is_known(self, request: Request) -> bool:
        shown = request.headers.get("authorization", "") or request.query_params.get("token", "")
        if shown[:7].lower() == "bearer ":
            shown = shown[7:]
        return not self._token or hmac.compare_digest(shown.strip().encode(), self._token)

    def _in_time(self) -> bool:
        now = time.monotonic()
        self._tokens = min(self._tokens + (now - self._filled) * MOST_A_SECOND, _BURST)
        self._filled = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


async def _body(request: Request) -> bytes | None:
    """The body; None if it is too large. A bit more is read, so that the sender gets the answer."""
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > _MOST_THROWN_AWAY:
        return None
    parts, size = list[bytes](), 0
    async for part in request.stream():
        size += len(part)
        if size > _MOST_THROWN_AWAY:
            return None
        if size > MOST_BYTES:
            parts.clear()
        else:
            parts.append(part)
    return b"".join(parts) if size <= MOST_BYTES else None

"""The dashboard's server: one page, one WebSocket, nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from img2imu_edge.dashboard.address import PROTOCOL, Address, is_own_name, is_own_origin
from img2imu_edge.dashboard.feed import Client, Feed
from img2imu_edge.dashboard.page import read_page
from img2imu_edge.errors import Img2ImuError
from img2imu_edge.extras import extra
from img2imu_edge.interfaces import in_url, listen, own_address
from img2imu_edge.web import WebServer

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.websockets import WebSocket

_CONNECTIONS: Final = 64
_MOST_BYTES: Final = 1024  # of what a browser sends; ours asks why, with a name of a class
_REFUSED, _FULL = 4403, 4429  # codes of a close, which the page knows


class Dashboard:
    """Serves a feed to browsers: `async with Dashboard(feed, address) as dashboard`.

    Args:
        feed: What is shown.
        address: Where to listen, and to whom.
    """

    def __init__(self, feed: Feed, address: Address) -> None:
        self._feed, self._address = feed, address
        self._port = address.port
        self._server: WebServer | None = None
        self._page, self._headers = read_page()

    @property
    def url(self) -> str:
        """What to open in the browser; with the token behind the #, which browsers keep to themselves."""
        host = self._address.host
        if host in ("0.0.0.0", "::"):  # noqa: S104
            host = own_address()
        return f"http://{in_url(host)}:{self._port}/" + (
            f"#{self._address.token}" if self._address.token else ""
        )

    async def __aenter__(self) -> Self:
        """Listen from now on.

        Raises:
            MissingExtraError: If the web server is not installed.
            Img2ImuError: If the port is taken, or the address not this computer's.
        """
        with extra("web", "the dashboard"):
            import uvicorn  # noqa: F401
            import websockets  # noqa: F401  # uvicorn's, for WebSockets
            from starlette.applications import Starlette
            from starlette.routing import Route, WebSocketRoute

        listener = self._listen()
        routes = [Route("/", self._get, methods=["GET"]), WebSocketRoute("/live", self._live)]
        self._server = WebServer(
            Starlette(routes=routes),
            listener,
            _CONNECTIONS,
            ws="websockets-sansio",
            ws_max_size=_MOST_BYTES,
            ws_per_message_deflate=False,
        )
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        """Listen no more."""
        server, self._server = self._server, None
        if server is not None:
            await server.close()

    def _listen(self) -> socket.socket:
        host = self._address.host
        try:
            listener = listen(host, self._port)
        except socket.gaierror as error:
            raise Img2ImuError(
                f"the dashboard cannot listen on {host}: no such address ({error.strerror}); give "
                "--dashboard-at one of this computer's, or 0.0.0.0 for all"
            ) from error
        except (OSError, OverflowError) as error:
            raise Img2ImuError(
                f"the dashboard cannot listen on {host} port {self._port} "
                f"({getattr(error, 'strerror', error)}); is another img2imu running? "
                "Choose another port with --dashboard-at"
            ) from error
        self._port = listener.getsockname()[1]
        return listener

    async def _get(self, request: Request) -> Response:
        from starlette.responses import HTMLResponse, PlainTextResponse

        if not is_own_name(request.headers.get("host", "")):
            return PlainTextResponse("this is not your host; open the address that img2imu printed", 421)
        return HTMLResponse(self._page, headers=self._headers)

    async def _live(self, browser: WebSocket) -> None:
        from starlette.responses import PlainTextResponse

        host, origin = browser.headers.get("host", ""), browser.headers.get("origin", "")
        if not is_own_name(host) or not is_own_origin(origin, host):
            await browser.send_denial_response(PlainTextResponse("only the dashboard's own page may", 403))
            return
        asked = browser.scope["subprotocols"]
        await browser.accept(PROTOCOL if PROTOCOL in asked else None)
        if not self._address.admits(asked):
            await browser.close(_REFUSED, "wrong token")
            return
        client = self._feed.connect()
        if client is None:
            await browser.close(_FULL, "too many browsers")
            return
        try:
            await _serve(browser, client)
        finally:
            self._feed.disconnect(client)


async def _serve(browser: WebSocket, client: Client) -> None:
    """Send a browser its frames until it goes; sending waits for it, so that only `client` fills up."""
    from starlette.websockets import WebSocketDisconnect

    async def send() -> None:
        with contextlib.suppress(WebSocketDisconnect):
            while True:
                for frame in await client.next():
                    await (browser.send_text(frame) if isinstance(frame, str) else browser.send_bytes(frame))

    sender = asyncio.create_task(send())
    try:
        while (said := await browser.receive())["type"] != "websocket.disconnect":
            client.ask(said.get("text") or "")
    finally:
        sender.cancel()
        await asyncio.gather(sender, return_exceptions=True)

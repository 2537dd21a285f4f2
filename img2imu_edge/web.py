"""A web server inside our event loop: uvicorn, quiet, bounded, and without a say in signals."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Any

_LEAVE_S = 1


class WebServer:
    """Serves one application from when it is made until it is closed; needs the extra `web`.

    Args:
        application: An ASGI application.
        listener: From `interfaces.listen`.
        connections: How many there may be at a time.
        options: What else uvicorn is told.
    """

    def __init__(self, application: Any, listener: socket.socket, connections: int, **options: Any) -> None:
        import uvicorn

        class Server(uvicorn.Server):
            @contextlib.contextmanager
            def capture_signals(self) -> Iterator[None]:
                """Leave them to whoever runs the event loop."""
                yield

        config = uvicorn.Config(
            application,
            log_config=None,
            log_level="critical",
            access_log=False,
            lifespan="off",
            http="h11",
            proxy_headers=False,
            server_header=False,
            limit_concurrency=connections,
            timeout_graceful_shutdown=_LEAVE_S,
            **options,
        )
        self._server = Server(config)
        self._task = asyncio.create_task(self._server.serve(sockets=[listener]))

    async def close(self) -> None:
        """Serve no more."""
        self._server.should_exit = True
        await asyncio.gather(self._task, return_exceptions=True)

"""A genuine browser, and a WebSocket as a browser opens it, for the tests of the dashboard."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.e2e.chromium import chromium

pytest.importorskip("starlette", reason="the extra `web` is not installed")
pytest.importorskip("uvicorn", reason="the extra `web` is not installed")
websockets = pytest.importorskip("websockets", reason="the extra `web` is not installed")

TOKEN = "correcthorse1"  # noqa: S105


@contextlib.asynccontextmanager
async def browser_page(**options: Any) -> AsyncIterator[Any]:
    """A page of the system's Chromium, and what went wrong in it in `page.errors`."""
    async with chromium() as browser:
        page = await browser.new_page(**options)
        page.errors = []
        page.on("pageerror", lambda error: page.errors.append(str(error)))
        yield page


def host_of(url: str) -> str:
    return url.split("/")[2]


def live(url: str, *, origin: str = "", token: str = "") -> Any:
    """A WebSocket, as a browser opens it."""
    protocols = ["img2imu.v1", *([f"token.{token}"] if token else [])]
    return websockets.connect(
        f"ws://{host_of(url)}/live",
        origin=origin or f"http://{host_of(url)}",
        subprotocols=protocols,
        close_timeout=0.2,
        proxy=None,
    )


async def until(page: Any, condition: str) -> None:
    """Wait for the page; its policy forbids what Playwright's own waiting does."""
    async with asyncio.timeout(20):
        while not await page.evaluate(condition):  # noqa: ASYNC110
            await asyncio.sleep(0.05)

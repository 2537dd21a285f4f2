"""The system's Chromium, for tests that look at pages as people do."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import AsyncIterator
from typing import Any

import pytest


@contextlib.asynccontextmanager
async def chromium() -> AsyncIterator[Any]:
    """Playwright's `Browser`; without one the test is skipped."""
    api = pytest.importorskip("playwright.async_api", reason="playwright is not installed")
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("Chromium is not installed")
    async with api.async_playwright() as player:
        browser = await player.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            await browser.close()

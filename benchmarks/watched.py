"""`python -m benchmarks.watched`: a dashboard left open in a genuine browser, to see whether anything grows.

`img2imu run` listens to a virtual wearable in a process of its own; Chromium shows its page. The device is
unplugged now and then, the page's connection is cut, and "Why?" is pressed. Every few seconds the page's
heap, after a collection of garbage, its nodes and listeners, and the memory of its process and of ours are
read. Exits with 1 if any of these grew, or nothing was cut. Needs Chromium and the extra `web`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import re
import shutil
import sys
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from img2imu_edge.errors import BenchmarkError

WARM_UP = 0.5
"""Share of the run that belongs to the warm-up: until then the page's 600 decisions fill."""

SPEED = 2.0
"""Times faster than life: four decisions a second, so that the page's memory is full after 150 s."""

UNPLUG_EVERY_S = 80.0
"""Device time from one outage to the next."""

CUT_EVERY = 6
"""Looks from one cut of the page's connection to the next."""

MOST_GROWTH = {"heap_mb": 0.5, "nodes": 20, "listeners": 2, "page_mb": 8.0, "server_mb": 2.0}
"""Most that may be added from the first to the last fifth of what follows the warm-up, each at its least:
what a collection leaves depends on what was just compiled and drawn."""


@dataclass(frozen=True, slots=True)
class Look:
    """What was read at a time.

    Attributes:
        minute: Minutes since the page was opened.
        heap_mb: What the page's JavaScript uses, after a collection.
        nodes: The page's nodes.
        listeners: Its listeners for events.
        page_mb: Resident memory of the process that shows it.
        server_mb: Resident memory of `img2imu run`.
        reconnects: Times the device was found again.
        cuts: Times the page's connection was cut.
        decisions: Decisions that the page holds.
    """

    minute: float
    heap_mb: float
    nodes: float
    listeners: float
    page_mb: float
    server_mb: float
    reconnects: int
    cuts: int
    decisions: int


def main() -> int:
    """Watch for as long as was asked for."""
    arguments = _parse()
    looks = asyncio.run(watch(arguments.minutes, arguments.every))
    found = faults(looks)
    for fault in found:
        print(f"FAULT: {fault}")
    return int(bool(found))


async def watch(minutes: float, every_s: float) -> list[Look]:
    """Open the page, and look at it again and again; prints a table.

    Args:
        minutes: How long.
        every_s: Seconds from one look to the next.

    Raises:
        BenchmarkError: If Chromium or Playwright is missing.
    """
    looks: list[Look] = []
    names = [field.name for field in fields(Look)]
    print("| " + " | ".join(names) + " |\n" + "|---" * len(names) + "|")
    async with _server(minutes) as (pid, address), _browser() as browser:
        page = await browser.new_page()
        await page.goto(address)
        tab = await page.context.new_cdp_session(page)
        await tab.send("Performance.enable")
        whole = await browser.new_browser_cdp_session()
        begin, cuts = time.monotonic(), 0
        while time.monotonic() - begin < 60 * minutes:
            await asyncio.sleep(every_s)
            if len(looks) % CUT_EVERY == CUT_EVERY - 1:
                await page.evaluate("link.close()")
                cuts += 1
            else:
                await page.evaluate("document.querySelector('.why-button').click()")
            passed = (time.monotonic() - begin) / 60
            looks.append(await _look(passed, page, tab, whole, pid, cuts))
            shown = [getattr(looks[-1], name) for name in names]
            print("| " + " | ".join(f"{value:g}" for value in np.round(shown, 2)) + " |", flush=True)
    return looks


def faults(looks: list[Look]) -> list[str]:
    """What is not as it must be, in words."""
    warm = looks[int(WARM_UP * len(looks)) :]
    fifth = max(1, len(warm) // 5)
    found = []
    for name, most in MOST_GROWTH.items():
        values = [getattr(look, name) for look in warm]
        grown = min(values[-fifth:]) - min(values[:fifth])
        print(f"{name}: {min(values[:fifth]):.2f}, {grown:+.2f} by the end")
        if grown > most:
            found.append(f"{name} grew by {grown:.2f}")
    if not looks[-1].reconnects or not looks[-1].cuts:
        found.append("the device or the page never had to connect again; let it run for longer")
    return found


async def _look(minute: float, page: Any, tab: Any, whole: Any, pid: int, cuts: int) -> Look:
    await tab.send("HeapProfiler.collectGarbage")
    metrics = {each["name"]: each["value"] for each in (await tab.send("Performance.getMetrics"))["metrics"]}
    processes = (await whole.send("SystemInfo.getProcessInfo"))["processInfo"]
    reconnects = "(+document.querySelector('[data-fact=reconnects]')?.textContent || 0)"
    shown = await page.evaluate(f"[{reconnects}, cards[0]?.decisions.length ?? 0]")
    return Look(
        minute=minute,
        heap_mb=metrics["JSHeapUsedSize"] / 2**20,
        nodes=metrics["Nodes"],
        listeners=metrics["JSEventListeners"],
        page_mb=sum(_rss_mb(each["id"]) for each in processes if each["type"] == "renderer"),
        server_mb=_rss_mb(pid),
        reconnects=shown[0],
        cuts=cuts,
        decisions=shown[1],
    )


@contextlib.asynccontextmanager
async def _server(minutes: float) -> AsyncGenerator[tuple[int, str]]:
    """`img2imu run` with its dashboard: its process, and the page's address."""
    command = Path(sys.executable).with_name("img2imu")
    loops = 1 + round(minutes * SPEED)  # the recording is three minutes long
    url = f"virtual:?speed={SPEED:g}&loss=0.01&unplug_every_s={UNPLUG_EVERY_S:g}&loops={loops}"
    process = await asyncio.create_subprocess_exec(
        *(command, "run", url, "--model", "shoulder", "--json", "--dashboard-at", "127.0.0.1:0"),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env=os.environ | {"MALLOC_ARENA_MAX": "1"},  # what glibc keeps for each thread is nobody's leak
    )
    assert process.stderr  # noqa: S101 - it was asked for
    try:
        told = (await process.stderr.readline()).decode()
        address = re.search(r"http://\S+", told)
        if address is None:
            raise BenchmarkError(f"img2imu run did not start: {told}")
        yield process.pid, address.group()
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


@contextlib.asynccontextmanager
async def _browser() -> AsyncGenerator[Any]:
    try:
        from playwright.async_api import async_playwright
    except ModuleNotFoundError as error:
        raise BenchmarkError("Playwright is missing; get it with: pip install playwright") from error
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        raise BenchmarkError("there is no Chromium; install it with the system's package manager")
    async with async_playwright() as player:
        browser = await player.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            await browser.close()


def _rss_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.watched", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--every", type=float, default=10.0, help="seconds from one look to the next")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())

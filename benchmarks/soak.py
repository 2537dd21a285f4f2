"""`python -m benchmarks.soak`: half an hour of motion over a bad link, played fast, every sample audited.

What is listened to with the shipped model is a wearable in a process of its own, over a pty or over the BLE
bench. It says 1 % of its messages twice and is lost every 15 device-seconds; its 16-bit sample number and its
32-bit clock wrap. Exits with 1 if a sample had a wrong time or value, a gap was not flagged, a loss was not
the link's, a counter never wrapped, or the memory grew.
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import dataclasses
import gc
import json
import os
import sys
import time
import tracemalloc
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import product
from multiprocessing import get_context
from typing import Any, get_args

import numpy as np

import img2imu_edge as i2e
from benchmarks.motion import START_S, Audited
from benchmarks.player import FIRST, Link, Play, Player

GROWTH_MB = 2.0
"""Most that resident memory may grow after the warm-up."""

MOST_WARNINGS = 10
"""Texts for people: each is kept once, however long the link stays bad."""

WARM_UP = 0.2
"""Share of the run that belongs to the warm-up: caches and the allocator's arenas fill."""

DISCONNECT_EVERY_S = 15.0
DUPLICATE = 0.01
MESSAGE_S = 0.05
"""Motion in one message, as devices send it that want to be quick; BLE holds 19 samples at most."""

SPEEDS = {"pty": 0.0, "ble": 40.0}
"""Times faster than life. A pty holds the device back; BLE cannot, so that its device needs a pace."""

_MOST_PER_MESSAGE = 19
_LOOK_EVERY_S = 0.5
_TOP = 12


@dataclass(frozen=True, slots=True)
class Result:
    """What a case came to.

    Attributes:
        link: What the wearable was connected by.
        rate: Samples per second.
        device_s: Device time played.
        speed: Times faster than life.
        made: Samples that the wearable took.
        received: Those that came.
        lost: Those that the source counted as lost.
        link_lost: Those that were taken while the link was away, or were in its queue when it broke.
        wrong: Those whose time or values were not right.
        unflagged: Those that did not come where the count of lost ones said.
        duplicates: Messages that came twice.
        reconnects: Times the wearable was found again.
        number_wraps: Times the 16-bit sample number turned over.
        clock_wraps: Times the 32-bit clock turned over.
        decisions: Decisions made.
        samples_per_s: Samples made per second of the host's time.
        cpu_share: CPU time per device time of the listening process: of a core, for a wearable in real time.
        rss_mb: Resident memory after the warm-up.
        growth_mb: What was added until the end.
        growth_blocks: Pieces of memory that Python's own allocator holds, added likewise.
        warnings: Texts that the source keeps for people.
        load: Processes that ran or waited on the machine, mean over the last minute.
    """

    link: str
    rate: float
    device_s: float
    speed: float
    made: int
    received: int
    lost: int
    link_lost: int
    wrong: int
    unflagged: int
    duplicates: int
    reconnects: int
    number_wraps: int
    clock_wraps: int
    decisions: int
    samples_per_s: float
    cpu_share: float
    rss_mb: float
    growth_mb: float
    growth_blocks: int
    warnings: int
    load: float

    def faults(self) -> list[str]:
        """What is not as it must be, in words."""
        expected = {
            f"{self.wrong} samples with a wrong time or value": self.wrong,
            f"{self.unflagged} samples in a place that no count explains": self.unflagged,
            f"{self.made} made, but {self.received} received and {self.lost} lost": (
                self.made - self.received - self.lost
            ),
            f"{self.lost} lost, but the link took only {self.link_lost}": self.lost > self.link_lost,
            f"{self.reconnects} reconnects in {self.device_s:g} s": (
                self.reconnects < int(self.device_s / DISCONNECT_EVERY_S) - 1
            ),
            "no message came twice": not self.duplicates,
            "the sample number never wrapped": not self.number_wraps,
            "the clock never wrapped": not self.clock_wraps,
            f"memory grew by {self.growth_mb:.1f} MB": self.growth_mb > GROWTH_MB,
            f"{self.warnings} warnings": self.warnings > MOST_WARNINGS,
        }
        return [text for text, wrong in expected.items() if wrong]


def main() -> int:
    """Run the cases that were asked for, each in a fresh process; all by default."""
    arguments = _parse()
    os.environ.setdefault("MALLOC_ARENA_MAX", "1")  # else what glibc keeps for each thread hides what we keep
    results = []
    for link, rate in product(arguments.links, arguments.rates):
        batch = min(_MOST_PER_MESSAGE, max(1, round(rate * MESSAGE_S)))
        speed = SPEEDS[link] if arguments.speed is None else arguments.speed
        seconds = 60 * arguments.minutes
        play = Play(
            link,
            rate,
            seconds,
            speed=speed,
            batch=batch,
            duplicate=DUPLICATE,
            disconnect_every_s=DISCONNECT_EVERY_S,
        )
        with ProcessPoolExecutor(1, get_context("spawn")) as fresh:
            results.append(fresh.submit(measure, play, trace=arguments.trace).result())
        if not arguments.json:
            _print_row(results[-1], heading=len(results) == 1)
    if arguments.json:
        print(json.dumps([{**dataclasses.asdict(r), "faults": r.faults()} for r in results], indent=1))
    return int(any(result.faults() for result in results))


def measure(play: Play, *, trace: bool = False) -> Result:
    """Listen to one wearable until it ends.

    Args:
        play: What it plays.
        trace: Print where memory was allocated that was not freed after the warm-up; slow.
    """
    with Player(play) as player:
        heard = asyncio.run(_listen(play, player.urls[0], trace=trace))
    ledger = player.ledgers[0]
    made = ledger["samples_made"]
    link_lost = ledger["samples_unplugged"] + ledger["samples_cut"]
    turns = (FIRST + made - 1) >> 16
    clock = int((START_S + (made - 1) / play.rate) * 1e6) >> 32
    return Result(
        link=play.link,
        rate=play.rate,
        device_s=play.seconds,
        made=made,
        link_lost=link_lost,
        number_wraps=turns,
        clock_wraps=clock,
        load=os.getloadavg()[0],
        **heard,
    )


async def _listen(play: Play, url: str, *, trace: bool) -> dict[str, Any]:
    source = Audited(i2e.open_source(url), play.rate)
    wearable = i2e.Wearable(url, source)
    levels: list[tuple[float, float]] = []
    snapshots: list[tracemalloc.Snapshot] = []
    watch = asyncio.create_task(_watch(levels, source, round(play.rate * play.seconds), snapshots, trace))
    decisions, begin, cpu = 0, time.monotonic(), time.process_time()
    async for _ in i2e.classify_all([wearable], i2e.load_model("shoulder")):
        decisions += 1
    passed, cpu = time.monotonic() - begin, time.process_time() - cpu
    watch.cancel()
    if wearable.error:
        raise wearable.error
    if trace:
        snapshots.append(_snapshot())
        for line in snapshots[-1].compare_to(snapshots[0], "lineno")[:_TOP]:
            print(line, file=sys.stderr)
    warm = np.array(levels[int(WARM_UP * len(levels)) :])
    tenth = max(1, len(warm) // 10)
    rss, blocks = np.median(warm[:tenth], axis=0).tolist()
    end, end_blocks = np.median(warm[-tenth:], axis=0).tolist()
    stats = source.stats
    return {
        "received": source.received,
        "lost": stats.samples_lost,
        "wrong": source.wrong,
        "unflagged": source.unflagged + abs(stats.samples_received - source.received),
        "duplicates": stats.duplicates,
        "reconnects": stats.reconnects,
        "decisions": decisions,
        "speed": play.seconds / passed,
        "samples_per_s": play.rate * play.seconds / passed,
        "cpu_share": cpu / play.seconds,
        "rss_mb": rss,
        "growth_mb": end - rss,
        "growth_blocks": round(end_blocks - blocks),
        "warnings": len(stats.warnings),
    }


async def _watch(
    levels: list[tuple[float, float]],
    source: Audited,
    made: int,
    snapshots: list[tracemalloc.Snapshot],
    trace: bool,
) -> None:
    # What the C library keeps for later after a burst is nobody's leak.
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) or (lambda _: 0)
    while True:
        await asyncio.sleep(_LOOK_EVERY_S)
        trim(0)
        levels.append((_rss_mb(), sys.getallocatedblocks()))
        if trace and not snapshots and source.last > WARM_UP * made:
            tracemalloc.start()
            snapshots.append(_snapshot())


def _snapshot() -> tracemalloc.Snapshot:
    gc.collect()  # what only waits to be collected is no leak
    return tracemalloc.take_snapshot()


def _rss_mb() -> float:
    with open("/proc/self/statm") as sizes:  # noqa: PTH123 - read again and again
        return int(sizes.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def _print_row(result: Result, *, heading: bool) -> None:
    columns = {
        "link": result.link,
        "Hz": f"{result.rate:g}",
        "minutes": f"{result.device_s / 60:g}",
        "speed": f"{result.speed:.0f}×",
        "made": result.made,
        "received": result.received,
        "lost": result.lost,
        "wrong": result.wrong,
        "unflagged": result.unflagged,
        "reconnects": result.reconnects,
        "twice": result.duplicates,
        "wraps": f"{result.number_wraps} + {result.clock_wraps}",
        "samples/s": f"{result.samples_per_s:.0f}",
        "CPU": f"{result.cpu_share:.2%}",
        "MB": f"{result.rss_mb:.0f}",
        "growth": f"{result.growth_mb:+.1f}",
        "blocks": f"{result.growth_blocks:+}",
        "load": f"{result.load:.1f}",
    }
    if heading:
        print("| " + " | ".join(columns) + " |")
        print("|---" * len(columns) + "|")
    print("| " + " | ".join(str(value) for value in columns.values()) + " |", flush=True)
    for fault in result.faults():
        print(f"FAULT: {fault}", flush=True)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--links", nargs="+", choices=get_args(Link), default=list(get_args(Link)))
    parser.add_argument("--rates", nargs="+", type=float, default=[50.0, 400.0])
    parser.add_argument("--minutes", type=float, default=30.0, help="device time of a case")
    parser.add_argument("--speed", type=float, help="times faster than life; 0 as fast as it is taken")
    parser.add_argument("--json", action="store_true", help="figures for programs")
    parser.add_argument("--trace", action="store_true", help="say what memory is not freed; slow")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())

"""`python -m benchmarks.load`: many wearables in real time, on one core; and more than it can decide on.

The listening process may use one core, the wearables the others. Every sample is audited, and the time from a
decision's last byte to the decision is measured. With `--slow`, the genuine engine takes so much longer that
only a part of the decisions can be made: they must be thinned evenly, and late by a bounded time.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import os
import sys
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import get_args

import numpy as np

import img2imu_edge as i2e
from benchmarks.motion import CHANNELS, Audited, make_motion
from benchmarks.player import Link, Play, Player
from img2imu_edge.engines import Array, Engine, Output
from img2imu_edge.model import Model

QUEUE = 8
"""Messages that a wearable holds: what the host does not take in time is lost, as it is with a real one."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a run came to.

    Attributes:
        link: What the wearables were connected by.
        wearables: How many.
        rate: Samples per second of each.
        device_s: Seconds played, in real time.
        slow_ms: What was added to each of the network's looks at a window.
        made: Samples that the wearables took.
        missing: Samples lost, or not at their place.
        decisions: Decisions made.
        skipped: Decisions left out to keep up, by the counter.
        due: Both, counted from the samples.
        distances: Decisions apart, in units of what was due, and how often.
        p50_ms: Median time from the last byte that a decision needed to the decision.
        p95_ms: As above, of 95 %.
        p99_ms: As above, of 99 %.
        max_ms: The longest.
        cpu_share: Of one core, all wearables together.
        load: Processes that ran or waited on the machine, mean over the last minute.
    """

    link: str
    wearables: int
    rate: float
    device_s: float
    slow_ms: float
    made: int
    missing: int
    decisions: int
    skipped: int
    due: int
    distances: dict[int, int]
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float
    cpu_share: float
    load: float


class SlowEngine:
    """The genuine engine on a slower machine: each window takes so much longer, without using a core.

    Args:
        engine: The genuine one.
        seconds: Added per window.
    """

    def __init__(self, engine: Engine, seconds: float) -> None:
        self.name, self.form, self.input_shape = engine.name, engine.form, engine.input_shape
        self.classes, self.embedding_size = engine.classes, engine.embedding_size
        self._engine, self._seconds = engine, seconds

    def run(self, window: Array) -> Output:
        """One window; see `Engine`."""
        time.sleep(self._seconds)
        return self._engine.run(window)

    def run_many(self, windows: Array) -> Output:
        """Several windows; see `Engine`."""
        time.sleep(self._seconds * len(windows))
        return self._engine.run_many(windows)


def main() -> int:
    """Run once, and say whether every sample and every decision is accounted for."""
    arguments = _parse()
    here, *there = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, [here])
    play = Play(
        arguments.link,
        arguments.rate,
        arguments.seconds,
        arguments.wearables,
        speed=1.0,
        batch=arguments.batch,
        queue=QUEUE,
    )
    model = i2e.load_model(arguments.model)
    if arguments.slow:
        model = replace(model, engine=SlowEngine(model.engine, arguments.slow / 1e3))
    result = measure(play, model, slow_ms=arguments.slow, cores=tuple(there))
    if arguments.json:
        print(json.dumps(dataclasses.asdict(result), indent=1))
    else:
        for name, value in dataclasses.asdict(result).items():
            print(f"{name:10} {value:.3g}" if isinstance(value, float) else f"{name:10} {value}")
    return int(result.missing != 0 or result.decisions + result.skipped != result.due)


def measure(play: Play, model: Model, *, slow_ms: float = 0.0, cores: tuple[int, ...] = ()) -> Result:
    """Listen to several wearables until they have ended.

    Args:
        play: What they play.
        model: What decides.
        slow_ms: For the result.
        cores: Where the wearables run; anywhere if empty.
    """
    with Player(play, cores) as player:
        sources = [Audited(i2e.open_source(url), play.rate) for url in player.urls]
        wearables = [i2e.Wearable(source.url, source) for source in sources]
        cpu, begin = time.process_time(), time.monotonic()
        made = asyncio.run(_listen(wearables, model))
        cpu, passed = time.process_time() - cpu, time.monotonic() - begin
    for wearable in wearables:
        if wearable.error:
            raise wearable.error
    hop_s = model.card.input.hop_columns * model.plan.hop / model.card.input.rate
    settled = {name: [d for d in of if d.status != "warming_up"] for name, of in made.items()}
    distances = Counter(round((b.time - a.time) / hop_s) for of in settled.values() for a, b in pairwise(of))
    latencies = [d.latency_ms for of in settled.values() for d in of if d.latency_ms is not None]
    p50, p95, p99, longest = np.percentile(latencies, [50, 95, 99, 100]).tolist()
    sessions = [wearable.session for wearable in wearables if wearable.session is not None]
    samples = sum(ledger["samples_made"] for ledger in player.ledgers)
    astray = sum(source.wrong + source.unflagged + source.lost for source in sources)
    return Result(
        link=play.link,
        wearables=play.wearables,
        rate=play.rate,
        device_s=play.seconds,
        slow_ms=slow_ms,
        made=samples,
        missing=samples - sum(source.received for source in sources) + astray,
        decisions=sum(len(of) for of in made.values()),
        skipped=sum(session.stats.skipped for session in sessions),
        due=play.wearables * _due(play, model),
        distances=dict(sorted(distances.items())),
        p50_ms=p50,
        p95_ms=p95,
        p99_ms=p99,
        max_ms=longest,
        cpu_share=cpu / passed,
        load=os.getloadavg()[0],
    )


async def _listen(wearables: list[i2e.Wearable], model: Model) -> dict[str, list[i2e.Decision]]:
    made: dict[str, list[i2e.Decision]] = defaultdict(list)
    async for wearable, decision in i2e.classify_all(wearables, model):
        made[wearable.name].append(decision)
    return made


def _due(play: Play, model: Model) -> int:
    """Decisions that the samples of a wearable are worth."""
    session = i2e.Session(model, play.rate, CHANNELS)
    motion = make_motion(play.rate, play.seconds)
    block = i2e.SampleBlock(motion.times, motion.values, CHANNELS)
    return len(session.take(block)) + len(session.rest())


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load", description=__doc__)
    parser.add_argument("--link", choices=get_args(Link), default="pty")
    parser.add_argument("--wearables", type=int, default=8)
    parser.add_argument("--rate", type=float, default=100.0)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--batch", type=int, default=5, help="samples in a message")
    parser.add_argument("--model", default="shoulder")
    parser.add_argument("--slow", type=float, default=0.0, help="milliseconds added to the engine per window")
    parser.add_argument("--json", action="store_true", help="figures for programs")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())

"""The asyncio side: samples of any number of sources through their sessions, the network in a thread."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import chain, repeat

from img2imu_edge.decision import Decision
from img2imu_edge.model import Model
from img2imu_edge.samples import SampleBlock
from img2imu_edge.sanity import SanityCheck
from img2imu_edge.session import Session, Window, decide
from img2imu_edge.source import Source

QUEUE_BLOCKS = 512
"""Blocks of a wearable that may wait. A full queue stops the reading: the link's own buffers take over."""

BEHIND_S = 1.0
"""When a wearable's samples will have waited as long by the time all that is due is decided, decisions are
skipped until it has caught up; samples never are. A source that goes as fast as it is taken tells no arrival
times, and is never behind."""

QUICK_S = 0.002
"""What the network does in less time is done at once: to wake a thread takes as long, and links can wait."""

_ROUND_BLOCKS = 64
"""Blocks of a wearable that are taken at once, so that one that goes as fast as it is taken does not delay
the others. Of one that is behind all are taken: they are worth one decision, however many they are."""

_ROUNDS = 5
"""Rounds from which the network's pace is known."""


@dataclass(slots=True, eq=False)
class Wearable:
    """One source among others, on its way through the runner.

    Attributes:
        name: Tells it from the others.
        source: Where its samples come from.
        session: Its state; made once the source is connected, if None.
        error: What ended it for good; None while it runs, and after a proper end.
        ended: Whether no more will come.
    """

    name: str
    source: Source
    session: Session | None = None
    error: Exception | None = None
    ended: bool = False
    _check: SanityCheck | None = None
    _behind: bool = False
    _queue: asyncio.Queue[SampleBlock | None] = field(default_factory=lambda: asyncio.Queue(QUEUE_BLOCKS))


async def classify(
    source: Source, model: Model, *, session: Session | None = None
) -> AsyncGenerator[Decision, None]:
    """Live decisions from an entered source.

    Args:
        source: An open source (`async with open_source(url) as source`).
        model: The shared model.
        session: The wearable's session, to look at its counters and spectrogram meanwhile; made if None.

    Yields:
        Decisions as they are made, until the source ends.

    Raises:
        SensorMismatchError: If the source lacks a channel that the model needs.
        SourceError: If the source fails for good.
    """
    session = session or Session(model, source.info.rate, source.info.channels)
    wearable = Wearable(source.url, source, session)
    async with contextlib.aclosing(_classify([wearable], model, entered=True)) as decisions:
        async for _, decision in decisions:
            yield decision
    if wearable.error:
        raise wearable.error


async def classify_all(
    wearables: Sequence[Wearable], model: Model
) -> AsyncGenerator[tuple[Wearable, Decision], None]:
    """Live decisions from several sources, which are entered and left here, each at its own pace.

    One model serves them all, with one run of the network for what is due at the same time. A source that
    cannot be connected, or fails, ends with its `error` set and disturbs no other.

    Args:
        wearables: Sources that were not entered.
        model: The shared model.

    Yields:
        A wearable and its decision, until all have ended.
    """
    async with contextlib.aclosing(_classify(wearables, model, entered=False)) as decisions:
        async for pair in decisions:
            yield pair


async def _classify(
    wearables: Sequence[Wearable], model: Model, *, entered: bool
) -> AsyncGenerator[tuple[Wearable, Decision], None]:
    ready, loop, pace = asyncio.Event(), asyncio.get_running_loop(), _Pace()
    readers = [asyncio.create_task(_read(wearable, model, ready, entered)) for wearable in wearables]
    worker = ThreadPoolExecutor(1, thread_name_prefix="img2imu")
    try:
        while not all(wearable.ended for wearable in wearables):
            await ready.wait()
            ready.clear()
            loads = [_Load(w, *_waiting(w)) for w in wearables if not w.ended and not w._queue.empty()]
            due, begin = list[_Due](), time.monotonic()
            for load in loads:
                if load.wearable.session is None:
                    continue
                try:
                    due.append(_take(load, load.wearable.session))
                except Exception as error:  # blocks that are not what its source said: no other's concern
                    load.wearable.error, load.wearable.ended = error, True
                if time.monotonic() - begin > QUICK_S:  # links and outputs get their turn
                    await asyncio.sleep(0)
                    begin = time.monotonic()
            seconds = pace.expect(sum(_asked(each.windows) for each in due))
            if 0 < seconds < QUICK_S or not any(each.windows for each in due):
                decisions = _decide(due, pace, seconds)
                await asyncio.sleep(0)
            else:
                decisions = await loop.run_in_executor(worker, _decide, due, pace, seconds)
            for pair in decisions:
                yield pair
            if any(not wearable._queue.empty() for wearable in wearables if not wearable.ended):
                ready.set()
    finally:
        for reader in readers:
            reader.cancel()
        await asyncio.gather(*readers, return_exceptions=True)
        worker.shutdown(wait=False)


async def _read(wearable: Wearable, model: Model, ready: asyncio.Event, entered: bool) -> None:
    """Move a source's blocks to its queue, then None; keep the error that ended it, if any did."""
    try:
        async with contextlib.nullcontext(wearable.source) if entered else wearable.source as source:
            info = source.info
            wearable.session = wearable.session or Session(model, info.rate, info.channels)
            wearable._check = SanityCheck(info.channels, info.rate)
            async for block in source:
                await wearable._queue.put(block)
                ready.set()
    except Exception as error:  # carried to whoever follows this wearable, and kept from the others
        wearable.error = error
    await wearable._queue.put(None)
    ready.set()


@dataclass(frozen=True, slots=True)
class _Load:
    """What a wearable brings to a round."""

    wearable: Wearable
    blocks: list[SampleBlock]
    last: bool


def _waiting(wearable: Wearable) -> tuple[list[SampleBlock], bool]:
    """Blocks that wait, and whether they are the last ones."""
    queue, blocks = wearable._queue, list[SampleBlock]()
    most = QUEUE_BLOCKS if wearable._behind else _ROUND_BLOCKS
    while not queue.empty() and len(blocks) < most:
        block = queue.get_nowait()
        if block is None:
            wearable.ended = True
            return blocks, True
        blocks.append(block)
    return blocks, False


class _Pace:
    """How long the network takes for a window: the least of the last rounds, for a hiccup tells nothing."""

    def __init__(self) -> None:
        self._seconds: deque[float] = deque(maxlen=_ROUNDS)

    def expect(self, windows: int) -> float:
        """Seconds for so many windows; 0 before anything is known."""
        return windows * min(self._seconds, default=0.0)

    def learn(self, windows: int, seconds: float) -> None:
        """Take note of a round."""
        if windows:
            self._seconds.append(seconds / windows)


@dataclass(frozen=True, slots=True)
class _Due:
    """The windows that a wearable's blocks complete, and when the last byte of each came."""

    load: _Load
    session: Session
    windows: list[Window]
    received: list[float]


def _take(load: _Load, session: Session) -> _Due:
    """Take in what a wearable brings to a round."""
    wearable = load.wearable
    pairs = [(window, block.received) for block in load.blocks for window in session.take(block)]
    if wearable._check:
        found = [finding for block in load.blocks for finding in wearable._check.push(block)]
        found += wearable._check.finish() if load.last else []
        wearable.source.stats.warnings += [finding.text for finding in found]
    if load.last and not wearable.error:
        pairs += zip(session.rest(), repeat(math.nan))
    return _Due(load, session, [window for window, _ in pairs], [received for _, received in pairs])


def _decide(due: Sequence[_Due], pace: _Pace, seconds: float) -> list[tuple[Wearable, Decision]]:
    """Decide on all that is due, which is expected to take so many seconds."""
    taken: list[tuple[Session, list[Window]]] = []
    arrivals: list[list[float]] = []
    begin = time.monotonic()
    end = begin + seconds
    for each in due:
        wearable, windows, times = each.load.wearable, each.windows, each.received
        late = bool(each.load.blocks) and end - each.load.blocks[0].received > BEHIND_S
        # Once behind, until no more than one window is due at a time: so that they are thinned evenly.
        wearable._behind = late or (wearable._behind and len(windows) > 1)
        if wearable._behind:
            windows, times = each.session.thin(windows), times[-1:]
        taken.append((each.session, windows))
        arrivals.append(times)
    decisions = decide(taken)
    now = time.monotonic()
    pace.learn(sum(_asked(windows) for _, windows in taken), now - begin)
    return list(
        chain.from_iterable(
            [(each.load.wearable, _timed(d, now - received)) for d, received in zip(made, times, strict=True)]
            for each, made, times in zip(due, decisions, arrivals, strict=True)
        )
    )


def _asked(windows: Sequence[Window]) -> int:
    """How many of them the network is asked about."""
    return sum(window.seen is not None for window in windows)


def _timed(decision: Decision, seconds: float) -> Decision:
    return decision if math.isnan(seconds) else replace(decision, latency_ms=seconds * 1e3)

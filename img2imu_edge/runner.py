"""The asyncio side: samples from a source through a session, with the network off the event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace

from img2imu_edge.decision import Decision
from img2imu_edge.model import Model
from img2imu_edge.samples import SampleBlock
from img2imu_edge.session import Session
from img2imu_edge.source import Source

QUEUE_BLOCKS = 512
"""Blocks that may wait. A full queue stops the reading, so that the link's own buffers take over."""

BEHIND_BLOCKS = 64
"""With more blocks than this waiting, decisions are skipped; samples never are."""


async def classify(
    source: Source, model: Model, *, session: Session | None = None
) -> AsyncIterator[Decision]:
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
    queue: asyncio.Queue[SampleBlock | None] = asyncio.Queue(QUEUE_BLOCKS)
    loop = asyncio.get_running_loop()
    reader = asyncio.create_task(_read(source, queue))
    worker = ThreadPoolExecutor(1, thread_name_prefix="img2imu")
    try:
        while (block := await queue.get()) is not None:
            behind = queue.qsize() > BEHIND_BLOCKS
            for decision in await loop.run_in_executor(worker, _push, session, block, behind):
                yield decision
        await reader  # raises what ended the source, if it failed
        for decision in await loop.run_in_executor(worker, session.finish):
            yield decision
    finally:
        reader.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(reader, return_exceptions=True)
        worker.shutdown(wait=False)


async def _read(source: Source, queue: asyncio.Queue[SampleBlock | None]) -> None:
    try:
        async for block in source:
            await queue.put(block)
    finally:
        await queue.put(None)


def _push(session: Session, block: SampleBlock, behind: bool) -> list[Decision]:
    decisions = session.push(block, latest_only=behind)
    latency = (time.monotonic() - block.received) * 1e3
    if latency != latency:  # NaN: nobody noted when the block arrived
        return decisions
    return [replace(decision, latency_ms=latency) for decision in decisions]

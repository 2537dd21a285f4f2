"""The asyncio side: samples from a source through a session, with the network off the event loop."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TypeAlias

from img2imu_edge.decision import Decision
from img2imu_edge.model import Model
from img2imu_edge.samples import SampleBlock
from img2imu_edge.session import Session
from img2imu_edge.source import Source

QUEUE_BLOCKS = 512
"""Blocks that may wait. A full queue stops the reading, so that the link's own buffers take over."""

BEHIND_BLOCKS = 64
"""With more blocks than this waiting, decisions are skipped; samples never are."""


_Queue: TypeAlias = "asyncio.Queue[SampleBlock | Exception | None]"


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
    queue: _Queue = asyncio.Queue(QUEUE_BLOCKS)
    loop = asyncio.get_running_loop()
    reader = asyncio.create_task(_read(source, queue))
    worker = ThreadPoolExecutor(1, thread_name_prefix="img2imu")
    try:
        while isinstance(block := await queue.get(), SampleBlock):
            behind = queue.qsize() > BEHIND_BLOCKS
            for decision in await loop.run_in_executor(worker, _push, session, block, behind):
                yield decision
        for decision in await loop.run_in_executor(worker, session.finish):
            yield decision
        if block is not None:
            raise block
    finally:
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)
        worker.shutdown(wait=False)


async def _read(source: Source, queue: _Queue) -> None:
    """Move blocks to the queue, then what ended the source: None, or the error that it raised."""
    end = None
    try:
        async for block in source:
            await queue.put(block)
    except Exception as error:  # carried to the consumer, who raises it
        end = error
    await queue.put(end)


def _push(session: Session, block: SampleBlock, behind: bool) -> list[Decision]:
    decisions = session.push(block, latest_only=behind)
    if math.isnan(block.received):
        return decisions
    latency = (time.monotonic() - block.received) * 1e3
    return [replace(decision, latency_ms=latency) for decision in decisions]

"""Measuring a source: what it delivers, how late, and what it costs."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from img2imu_bridge.clocks import LEARNED_SECONDS, ArrivalLine
from img2imu_edge.errors import Img2ImuError
from img2imu_edge.samples import ACCELEROMETER, GYROSCOPE, SampleBlock
from img2imu_edge.sanity import STILL, SanityCheck
from img2imu_edge.source import Source

_MOST_SAMPLES: Final = 1_000_000
_TICK_SECONDS: Final = 0.25
_STILL_SECONDS: Final = 3
_TELLING_SECONDS: Final = 1.0

Quantiles = dict[str, float]


@dataclass(slots=True)
class Measurement:
    """What was measured. Numbers are NaN where there was nothing to measure.

    Attributes:
        seconds: How long it was listened to.
        error: What ended it early, empty if nothing did.
        name: The device's name.
        channels: Its channels.
        nominal_rate: The rate that it says, in Hz.
        link: What the source says about its link.
        counters: The link's counters, as `LinkStats` has them.
        warnings: What the source said meanwhile.
        rate: Samples per second of device time.
        interval_jitter_ms: Quantiles of how far intervals between samples are off the median.
        arrival_late_ms: Quantiles of how much later than the least late block the others came.
        drift_ppm: How much faster than this computer's the device's clock runs.
        drift_uncertainty_ppm: How far that may be off.
        longest_silence: Seconds between two blocks, at most.
        still_seconds: Seconds in which the device lay still.
        gravity: What the accelerometer read then, in m/s².
        noise: Standard deviation of each channel then, SI units.
        sanity: What cannot be right about the values; pairs of check and text.
        cpu_share: CPU time of this process, as a share of one core.
    """

    seconds: float = 0.0
    error: str = ""
    name: str = ""
    channels: tuple[str, ...] = ()
    nominal_rate: float = math.nan
    link: dict[str, str] = field(default_factory=dict)
    counters: dict[str, int] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    rate: float = math.nan
    interval_jitter_ms: Quantiles = field(default_factory=dict)
    arrival_late_ms: Quantiles = field(default_factory=dict)
    drift_ppm: float = math.nan
    drift_uncertainty_ppm: float = math.nan
    longest_silence: float = math.nan
    still_seconds: int = 0
    gravity: float = math.nan
    noise: dict[str, float] = field(default_factory=dict)
    sanity: list[tuple[str, str]] = field(default_factory=list)
    cpu_share: float = math.nan


async def measure(source: Source, seconds: float, progress: Callable[[float], None]) -> Measurement:
    """Listen to a source that was not entered yet.

    Args:
        source: The source; whatever it is, it is left closed.
        seconds: For how long.
        progress: Called with the share of the time that has passed.

    Returns:
        What was measured; if the source fails, as much as there was until then.
    """
    found = Measurement()
    blocks: list[SampleBlock] = []
    begin, cpu = time.monotonic(), time.process_time()
    try:
        async with source:
            found.name, found.channels, found.nominal_rate = (
                source.info.name,
                source.info.channels,
                source.info.rate,
            )
            begin, cpu = time.monotonic(), time.process_time()
            await _listen(source, blocks, begin + seconds, lambda left: progress(1 - left / seconds))
            found.seconds = time.monotonic() - begin
            if found.seconds >= _TELLING_SECONDS:
                found.cpu_share = (time.process_time() - cpu) / found.seconds
            found.link = _link_facts(source)
    except Img2ImuError as error:
        found.error = str(error)
        found.seconds = found.seconds or time.monotonic() - begin
    counters = asdict(source.stats)
    found.warnings = counters.pop("warnings")
    found.counters = counters
    if blocks:
        _evaluate(found, blocks)
    return found


async def _listen(
    source: Source, blocks: list[SampleBlock], until: float, progress: Callable[[float], None]
) -> None:
    """Collect blocks until a time of the host, or the end of the stream."""

    async def collect() -> None:
        samples = 0
        async for block in source:
            samples += len(block)
            if samples <= _MOST_SAMPLES:
                blocks.append(block)

    collecting = asyncio.ensure_future(collect())
    try:
        while not collecting.done() and (left := until - time.monotonic()) > 0:
            progress(left)
            await asyncio.wait([collecting], timeout=min(_TICK_SECONDS, left))
    finally:
        ended = collecting.done()
        collecting.cancel()
        result = (await asyncio.gather(collecting, return_exceptions=True))[0]
    if ended and isinstance(result, Exception):
        raise result


def _link_facts(source: Source) -> dict[str, str]:
    """What a source tells of its link, if it tells anything: `link_facts() -> dict[str, str]`."""
    tell: Callable[[], dict[str, str]] | None = getattr(source, "link_facts", None)
    return dict(tell()) if tell is not None else {}


def _evaluate(found: Measurement, blocks: list[SampleBlock]) -> None:
    check = SanityCheck(found.channels, found.nominal_rate)
    for block in blocks:
        check.push(block)
    check.finish()
    found.sanity = [(finding.check, finding.text) for finding in check.findings]
    joined = [(one, other) for one, other in pairwise(blocks) if not other.lost and len(one)]
    inside = [np.diff(block.times) for block in blocks]
    between = [np.array([other.times[0] - one.times[-1]]) for one, other in joined]
    steps = np.concatenate([*inside, *between])
    if len(steps):
        usual = float(np.median(steps))
        whole = steps[steps < 1.5 * usual]
        found.rate = 1 / float(whole.mean())
        found.interval_jitter_ms = _quantiles(np.abs(steps - usual) * 1e3)
    _evaluate_arrival(found, blocks)
    _evaluate_rest(found, blocks)


def _evaluate_arrival(found: Measurement, blocks: list[SampleBlock]) -> None:
    device = np.array([block.times[-1] for block in blocks])
    host = np.array([block.received for block in blocks])
    known = np.isfinite(host)
    device, host = device[known], host[known]
    if len(host) < 2:
        return
    found.longest_silence = float(np.diff(host).max())
    line = ArrivalLine(1.0)
    for at, received in zip(device.tolist(), host.tolist(), strict=True):
        line.observe(at, received)
    late = host - (device * line.period)
    late -= late.min()
    found.arrival_late_ms = _quantiles(late * 1e3)
    if line.seconds >= LEARNED_SECONDS:
        found.drift_ppm = (1 / line.period - 1) * 1e6
        found.drift_uncertainty_ppm = 2e6 * float(np.median(late)) / line.seconds


def _evaluate_rest(found: Measurement, blocks: list[SampleBlock]) -> None:
    if not set(ACCELEROMETER) <= set(found.channels):
        return
    values = np.concatenate([block.values for block in blocks]).astype(np.float64)
    acc = [found.channels.index(name) for name in ACCELEROMETER]
    values = values[np.isfinite(values[:, acc]).all(axis=1)]
    each = max(round(found.nominal_rate), 4)
    levels, noises = [], []
    for start in range(0, len(values) - each + 1, each):
        second = values[start : start + each]
        level = float(np.linalg.norm(second[:, acc].mean(axis=0)))
        noise: NDArray[np.float64] = second.std(axis=0)
        if np.linalg.norm(noise[acc]) < STILL * level:
            levels.append(level)
            noises.append(noise)
    found.still_seconds = len(levels)
    if len(levels) >= _STILL_SECONDS:
        found.gravity = float(np.median(levels))
        usual = np.median(noises, axis=0)
        shown = (*ACCELEROMETER, *GYROSCOPE)
        found.noise = {
            name: float(noise)
            for name, noise in zip(found.channels, usual, strict=True)
            if name in shown and np.isfinite(noise)
        }


def _quantiles(values: NDArray[np.float64]) -> Quantiles:
    p50, p95, p99 = np.quantile(values, [0.5, 0.95, 0.99])
    return {"p50": float(p50), "p95": float(p95), "p99": float(p99), "max": float(values.max())}

"""`python -m img2imu_bridge.fuzz --packets 1000000`: bad bytes for every decoder, and how fast each is."""

from __future__ import annotations

import argparse
import gc
import random
import resource
import sys
import time
import tracemalloc
from collections.abc import Iterable
from typing import Final, NamedTuple

from img2imu_bridge.fuzz.targets import Target, all_targets

_WATCHED: Final = 5000
_GROWTH: Final = 64 << 10
"""Bytes that a decoder may hold more after that many packets: one reassembly, and Python's own caches."""
_TIMED_S: Final = 0.3


class Result(NamedTuple):
    """How a decoder bore it.

    Attributes:
        name: Its name.
        packets: How many it was fed.
        refused: How many of them it refused.
        grown: Bytes that it held more at the end of the watched part.
        packets_per_s: Bad packets a second, making them included.
        samples_per_s: Samples, or messages, a second from good packets.
    """

    name: str
    packets: int
    refused: int
    grown: int
    packets_per_s: float
    samples_per_s: float


def fuzz(target: Target, packets: int, seed: int) -> Result:
    """Feed a decoder; any error but a refusal passes through, with the seed to repeat it."""
    rng = random.Random(seed)  # noqa: S311 - to be repeated, not to be secret
    watched = min(packets // 2, _WATCHED)
    begin = time.perf_counter()
    refused = sum(target.harm(rng) for _ in range(packets - watched))
    seconds = time.perf_counter() - begin
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    refused += sum(target.harm(rng) for _ in range(watched))
    gc.collect()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    target.settle()
    speed = (packets - watched) / seconds
    return Result(target.name, packets, refused, after - before, speed, throughput(target))


def throughput(target: Target) -> float:
    """Samples, or messages, a second from good packets."""
    samples, begin = 0, time.perf_counter()
    while (seconds := time.perf_counter() - begin) < _TIMED_S:
        for characteristic, value in target.seeds:
            samples += target.feed(characteristic, value)
    return samples / seconds


def main(arguments: Iterable[str] | None = None) -> int:
    """Fuzz all decoders; 1 if one held on to memory."""
    parser = argparse.ArgumentParser(prog="python -m img2imu_bridge.fuzz", description=__doc__)
    parser.add_argument("--packets", type=int, default=100_000, help="for each decoder")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="decoders with this in their name")
    options = parser.parse_args(None if arguments is None else list(arguments))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    leaks = 0
    print(f"{'decoder':20}{'packets':>10}{'refused':>9}{'held':>9}{'fuzz/s':>10}{'good samples/s':>16}")
    for target in all_targets():
        if options.only not in target.name:
            continue
        r = fuzz(target, options.packets, options.seed)
        leaks += r.grown > _GROWTH
        print(
            f"{r.name:20}{r.packets:>10}{r.refused / r.packets:>9.1%}{r.grown / 1024:>7.1f}K"
            f"{r.packets_per_s:>10.0f}{r.samples_per_s:>16.0f}",
            flush=True,
        )
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(f"most memory: {grown / 1024:+.1f} MiB since the start; {leaks} decoders hold too much")
    return int(leaks > 0)


if __name__ == "__main__":
    sys.exit(main())

"""One way in a process of its own, so that its memory, its start and its helper threads are nobody else's.

`python -m benchmarks.alternatives.worker NAME DATA` answers one line for each line that it is sent.
"""

from __future__ import annotations

import time

_BEGIN = time.monotonic()

import contextlib  # noqa: E402 - the clock starts before the first import
import json  # noqa: E402
import sys  # noqa: E402
from collections.abc import Iterator  # noqa: E402
from pathlib import Path  # noqa: E402

import numpy as np  # noqa: E402

from benchmarks.alternatives.ways import Way, find, load  # noqa: E402
from img2imu_edge.samples import SampleBlock  # noqa: E402

HOP = 25
"""Samples from one decision to the next: half a second."""


def blocks(data: Path) -> Iterator[SampleBlock]:
    """The demo's recording in hops, again and again, on a clock that goes on."""
    with np.load(data) as file:
        times, values, channels = file["times"], file["values"], tuple(map(str, file["channels"]))
    step = float(np.median(np.diff(times)))
    lap = 0.0
    while True:
        for start in range(0, len(times) - HOP + 1, HOP):
            part = slice(start, start + HOP)
            yield SampleBlock(times[part] + lap, values[part], channels)
        lap += (len(times) - len(times) % HOP) * step


def status(*names: str) -> dict[str, int]:
    """Figures of this process as the kernel tells them: kB for memory."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    told = dict(line.split(":", 1) for line in lines)
    return {name: int(told[name].split()[0]) for name in names}


def _first(way: Way, samples: Iterator[SampleBlock]) -> None:
    """Feed a way until it answers."""
    while way.push(next(samples)) is None:
        pass


def _turn(way: Way, samples: Iterator[SampleBlock], decisions: int) -> dict[str, float | str | None]:
    """So many decisions on end: CPU of all threads of the process, and time passed."""
    fed = [next(samples) for _ in range(decisions)]
    answer = None
    cpu, wall = time.process_time(), time.perf_counter()
    for block in fed:
        answer = way.push(block)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {"cpu": cpu / decisions, "wall": wall / decisions, "label": answer.label if answer else None}


def _tell(what: object) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Make the way, tell what its start took, then take turns."""
    way = load(find(sys.argv[1]))
    loaded = time.monotonic()
    with contextlib.suppress(OSError):  # the most memory from here on: learning is over
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    samples = blocks(Path(sys.argv[2]))
    head = next(samples)  # reads the file, which is no part of the start
    begin = time.monotonic()
    if way.push(head) is None:
        _first(way, samples)
    first = time.monotonic() - begin
    _tell({"begin": _BEGIN, "load_s": loaded - _BEGIN - way.learned_s, "first_s": first})
    for line in sys.stdin:
        _tell(_turn(way, samples, int(line)) | status("VmHWM", "Threads"))


if __name__ == "__main__":
    main()

"""CPU, time, memory and start of each way: processes that take turns in one run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.alternatives.ways import Entry
from img2imu_edge.errors import BenchmarkError
from img2imu_edge.recording import demo_recording, read_recording

_ROOT = Path(__file__).parents[2]
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_PAUSE_S = 0.02
_IDLE = "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"


@dataclass(frozen=True, slots=True)
class Spread:
    """A figure of several turns.

    Attributes:
        median: The middle one.
        low: Of ten turns, one is lower.
        high: Of ten turns, one is higher.
    """

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float], factor: float = 1.0) -> Spread:
        """The spread of some values, times a factor."""
        low, median, high = (factor * float(v) for v in np.percentile(values, (10, 50, 90)))
        return cls(round(median, 4), round(low, 4), round(high, 4))


@dataclass(frozen=True, slots=True)
class Cost:
    """What a way takes.

    Attributes:
        name: The way's.
        cpu_us: CPU per decision, of all threads of its process, in microseconds.
        wall_us: Time per decision.
        memory_mb: The most resident memory, above that of an interpreter that does nothing.
        threads: Of its process at the end.
        start_s: From the start of the process to the first answer: interpreter, imports, loading, a window.
        load_s: Of that, imports and loading.
        first_s: Of that, the samples of the first window and the first decision.
    """

    name: str
    cpu_us: Spread
    wall_us: Spread
    memory_mb: float
    threads: int
    start_s: Spread
    load_s: Spread
    first_s: Spread


class Worker:
    """A way in its process; a context manager.

    Args:
        entry: The way.
        data: From `write_demo`.

    Raises:
        BenchmarkError: If the process ends by itself; the message holds what it said.
    """

    def __init__(self, entry: Entry, data: Path) -> None:
        # As a user has it: libraries choose their own number of threads.
        self._name = entry.name
        environment = {k: v for k, v in os.environ.items() if k not in _THREADS}
        command = [sys.executable, "-m", "benchmarks.alternatives.worker", entry.name, str(data)]
        begin = time.monotonic()
        # Engines say on start-up what nobody needs to know.
        self._said = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed with the process
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            text=True,
            cwd=_ROOT,
            env=environment,
        )
        told = self._read()
        self.start = {
            "start_s": told["begin"] - begin + told["load_s"] + told["first_s"],
            "load_s": told["load_s"],
            "first_s": told["first_s"],
        }
        """What its start took, in seconds."""

    def __enter__(self) -> Worker:
        """Running since it was made."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the process."""
        self._process.communicate()
        self._said.close()

    def turn(self, decisions: int) -> dict[str, Any]:
        """So many decisions on end.

        Returns:
            `cpu` and `wall` seconds per decision, the last `label`, `VmHWM` in kB, `Threads`.
        """
        assert self._process.stdin is not None  # noqa: S101 - asked for above
        self._process.stdin.write(f"{decisions}\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None  # noqa: S101 - asked for above
        line = self._process.stdout.readline()
        if not line:
            self._process.communicate()
            with self._said:
                self._said.seek(0)
                raise BenchmarkError(f"the process of {self._name} has ended:\n{self._said.read().strip()}")
        told: dict[str, Any] = json.loads(line)
        return told


def write_demo(path: Path) -> Path:
    """The demo's recording in a form that is read at once."""
    recording = read_recording(demo_recording())
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, times=recording.times, values=recording.values, channels=np.array(recording.channels))
    return path


def measure(
    entries: Sequence[Entry],
    data: Path,
    turns: int,
    decisions: int,
    starts: int,
    tell: Callable[[str], None] = lambda what: None,
) -> list[Cost]:
    """Start each way a few times, then let all take turns.

    Args:
        entries: The ways.
        data: From `write_demo`.
        turns: Of each way.
        decisions: In a turn.
        starts: Fresh processes of each way; the last one stays for the turns.
        tell: Told what is being done.
    """
    idle = int(
        subprocess.run([sys.executable, "-c", _IDLE], capture_output=True, check=True, text=True).stdout
    )
    started: dict[str, list[dict[str, float]]] = {entry.name: [] for entry in entries}
    taken: dict[str, list[dict[str, Any]]] = {entry.name: [] for entry in entries}
    with ExitStack() as stack:
        workers = {}
        for number in range(starts):
            for entry in entries:
                tell(f"start {number + 1} of {starts}: {entry.words}, {entry.network}")
                worker = Worker(entry, data)
                started[entry.name].append(worker.start)
                if number + 1 < starts:
                    worker.__exit__()
                else:
                    workers[entry.name] = stack.enter_context(worker)
        for worker in workers.values():
            worker.turn(decisions)  # caches and clocks settle
        for number in range(turns):
            tell(f"turn {number + 1} of {turns}")
            for name, worker in workers.items():
                taken[name].append(worker.turn(decisions))
                time.sleep(_PAUSE_S)  # helper threads of one way may spin into the turn of the next
    return [_cost(entry.name, started[entry.name], taken[entry.name], idle) for entry in entries]


def _cost(name: str, started: list[dict[str, float]], taken: list[dict[str, Any]], idle: int) -> Cost:
    begun = {key: Spread.of([start[key] for start in started]) for key in ("start_s", "load_s", "first_s")}
    return Cost(
        name=name,
        cpu_us=Spread.of([turn["cpu"] for turn in taken], 1e6),
        wall_us=Spread.of([turn["wall"] for turn in taken], 1e6),
        memory_mb=round((max(turn["VmHWM"] for turn in taken) - idle) / 1024, 1),
        threads=taken[-1]["Threads"],
        **begun,
    )

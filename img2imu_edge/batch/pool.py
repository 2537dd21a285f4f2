"""Where recordings are classified: processes of this machine, or a Dask cluster. The function is the same."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from concurrent.futures.process import BrokenProcessPool, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import active_children, connection, get_context, parent_process
from typing import Any

from img2imu_edge.batch.worker import FileResult, Job, classify_file, skipped
from img2imu_edge.errors import SourceError
from img2imu_edge.extras import extra

AHEAD = 2
"""Recordings that are given to a worker at once, so that none waits for us."""

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def run_locally(jobs: Iterable[Job], workers: int | None = None) -> Iterator[FileResult]:
    """Classify recordings with processes, one engine and one thread each.

    A process that is killed, as by a system without memory, costs nothing but the recording that it was at.

    Args:
        jobs: What to do, taken as there is room.
        workers: How many processes; as many as there are cores for us, if None.

    Yields:
        Results as they come.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    workers = workers or cores or 1
    todo = iter(jobs)
    while True:
        suspects = yield from _run(todo, workers, workers * AHEAD)
        for job in suspects:  # who was at work when a process died: each in a process of its own
            for _ in (yield from _run(iter([job]), 1, 1)):
                yield skipped(job, "the process that read it was killed, perhaps for want of memory")
        if not suspects:
            return


def run_on_cluster(jobs: Iterable[Job], address: str) -> Iterator[FileResult]:
    """Classify recordings on the workers of a Dask scheduler, which see the same files as we do.

    Args:
        jobs: What to do.
        address: The scheduler's, such as `tcp://10.0.0.1:8786`.

    Yields:
        Results as they come.

    Raises:
        MissingExtraError: If Dask is not installed.
        SourceError: If the scheduler cannot be reached, or is lost.
    """
    with extra("cluster", "a cluster"):
        from distributed import Client
        from distributed.scheduler import KilledWorker
    connect: Any = Client  # it tells no types
    try:
        client = connect(address, timeout="10s")
    except (OSError, ValueError) as error:
        raise SourceError(
            f"no Dask scheduler answers at {address}: {error}; start one: dask scheduler"
        ) from error
    with client:
        threads = sum(client.nthreads().values())
        if not threads:
            raise SourceError(f"{address} has no workers; start some: dask worker {address}")
        flying: dict[Future[FileResult], Job] = {}
        executor = client.get_executor(pure=False, retries=0)
        try:
            for job in jobs:
                flying[executor.submit(classify_file, job)] = job
                if len(flying) >= threads * AHEAD:
                    yield from _landed(flying, KilledWorker)
            while flying:
                yield from _landed(flying, KilledWorker)
        except CancelledError as error:
            raise SourceError(f"{address} was lost; run the same again to continue") from error
        finally:
            executor.shutdown(wait=False)


def _landed(flying: dict[Future[FileResult], Job], killed: type[Exception]) -> Iterator[FileResult]:
    for future in wait(flying, return_when=FIRST_COMPLETED).done:
        job = flying.pop(future)
        try:
            yield future.result()
        except killed as error:
            yield skipped(job, f"the workers that read it were killed: {error}")


def _run(jobs: Iterator[Job], workers: int, most: int) -> Generator[FileResult, None, list[Job]]:
    """Run jobs until none is left, or a process is killed; returns those that were not done then."""
    flying: dict[Future[FileResult], Job] = {}
    job = next(jobs, None)
    with _processes(workers) as pool:
        try:
            while job or flying:
                while job and len(flying) < most:
                    flying[pool.submit(classify_file, job)] = job
                    job = next(jobs, None)
                for future in wait(flying, return_when=FIRST_COMPLETED).done:
                    result = future.result()
                    del flying[future]
                    yield result
        except BrokenProcessPool:
            return [*flying.values(), *([job] if job else [])]
    return []


@contextmanager
def _processes(workers: int) -> Iterator[ProcessPoolExecutor]:
    """A pool of processes that are gone when the context is left, however it is left."""
    before = {name: os.environ.get(name) for name in _THREADS}
    others = set(active_children())
    os.environ |= dict.fromkeys(_THREADS, "1")  # the processes inherit it; ours has its threads already
    pool = ProcessPoolExecutor(workers, get_context("spawn"), _begin)
    try:
        yield pool
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        for child in set(active_children()) - others:
            child.terminate()  # one that is idle has nothing to lose, one at work leaves no piece
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _begin() -> None:
    """In a new process: end with the one that started it, and leave Ctrl-C to that."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent:
        connection.wait([parent.sentinel])
        os._exit(1)

"""Photographs decoded once, by all processors, into one file that maps to memory.

What the file holds is served by `packed`; how files are found and decoded is in `image_files`.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from img2imu_edge.errors import RecordingError
from img2imu_training.corpora.image_files import Skipped, decode_all, find_sources

_AT_ONCE = 64
_FEW = 500
"""So many images are decoded before other processes have started."""

Progress = Callable[[int, int], None]
"""Called with the images packed and skipped so far."""

_Decoded = tuple[NDArray[np.uint8], list[Skipped]]


def pack(
    paths: list[Path],
    cache_dir: Path,
    size: int,
    progress: Progress = lambda packed, skipped: None,
    workers: int | None = None,
) -> Path:
    """Decode folders and tar shards of photographs into one file, unless that was done before.

    The file's name comes from the sources (path, size, time of last change) and the images' size. It appears
    under that name only when it is complete. Its side-car of the same name ending in `.json` says where the
    images come from and what was skipped. The processes import the caller's main module: a script that calls
    this needs its `if __name__ == "__main__":`.

    Args:
        paths: Folders (searched recursively) and shards; labels are ignored.
        cache_dir: Where the file goes.
        size: Side of the square images, pixels.
        progress: Called now and then.
        workers: Processes that decode; all of this machine's processors by default.

    Returns:
        The `.npy` file, (images, 3, size, size) uint8.

    Raises:
        RecordingError: If a path holds no images, or none could be decoded.
    """
    sources = find_sources(paths)
    about: dict[str, Any] = {"format": 1, "size": size, "sources": [s.identity() for s in sources]}
    key = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:16]
    path = cache_dir / f"images-{size}-{key}.npy"
    if path.exists() and path.with_suffix(".json").exists():
        return path
    cache_dir.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}.partial")
    skipped: list[Skipped] = []
    count = 0
    try:
        with partial.open("wb") as file, _pool(workers or os.cpu_count() or 1) as pool:
            _write_header(file, 0, size)
            encoded = (image for source in sources for image in source.images())
            for images, lost in _decode(encoded, size, pool):
                file.write(images.tobytes())
                count += len(images)
                skipped += lost
                progress(count, len(skipped))
            file.seek(0)
            _write_header(file, count, size)
            file.flush()
            os.fsync(file.fileno())
        skipped += [one for source in sources for one in source.skipped]
        if not count:
            why = f"; the first that failed: {skipped[0].name}: {skipped[0].reason}" if skipped else ""
            raise RecordingError(f"there are no usable images in {', '.join(map(str, paths))}{why}")
        about |= {"count": count, "skipped": [asdict(one) for one in skipped]}
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    partial.write_text(json.dumps(about, indent=1), encoding="utf-8")
    partial.replace(path.with_suffix(".json"))
    return path


def _write_header(file: BinaryIO, count: int, size: int) -> None:
    """The `.npy` header. NumPy leaves room for the first axis to grow, so its length is always the same."""
    shape = (count, 3, size, size)
    np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})  # type: ignore[no-untyped-call]


@contextmanager
def _pool(workers: int) -> Iterator[Callable[[], Executor] | None]:
    """Gives what starts processes on demand, or None for a single one."""
    started: list[ProcessPoolExecutor] = []

    def start() -> Executor:
        if not started:  # spawned, not forked: a process that has run torch has threads, and forking may hang
            started.append(ProcessPoolExecutor(workers, get_context("spawn")))
        return started[0]

    try:
        yield start if workers > 1 else None
    finally:
        for pool in started:
            pool.shutdown(cancel_futures=True)


def _decode(
    encoded: Iterator[tuple[str, bytes]], size: int, start: Callable[[], Executor] | None
) -> Iterator[_Decoded]:
    """Decode in order; only so much is read ahead as the processes need."""
    waiting: deque[Future[_Decoded]] = deque()
    done = 0
    while some := list(islice(encoded, _AT_ONCE)):
        if start is None or done < _FEW:
            done += len(some)
            yield decode_all(some, size)
            continue
        waiting.append(start().submit(decode_all, some, size))
        if len(waiting) > 2 * (os.cpu_count() or 1) + 2:
            yield waiting.popleft().result()
    for future in waiting:
        yield future.result()

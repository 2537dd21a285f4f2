"""`classify_files`: any number of recordings, one result after the other."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from importlib.metadata import version
from pathlib import Path

from img2imu_edge.batch.rows import Kind
from img2imu_edge.batch.worker import UNFINISHED, FileResult, Job
from img2imu_edge.container import unpack
from img2imu_edge.errors import ModelError, RecordingError
from img2imu_edge.model import Model, load_model, read_card
from img2imu_edge.whole import cannot_write

LOCK = ".lock"
PIECE = ".piece"


def classify_files(
    paths: Iterable[str | Path],
    model: Model | str | Path,
    *,
    workers: int | None = None,
    cluster: str | None = None,
    folder: str | Path | None = None,
) -> Iterator[FileResult]:
    """Classify recordings on all cores or a cluster, in bounded memory, however many and long they are.

    Each has the decisions that `classify_recording` and a live stream give. A recording that cannot be read
    is told in its result and disturbs no other. A script that calls this needs `if __name__ == "__main__":`,
    as everything does that starts processes.

    Args:
        paths: The recordings.
        model: A model, its file, or the name of a shipped one.
        workers: Processes; one a core if None.
        cluster: Address of a Dask scheduler, such as `tcp://10.0.0.1:8786`, to work there instead; its
            workers must see the recordings, the model's file and `folder` under the same paths.
        folder: Where results are kept. Given the same folder again, what was done before is not done again:
            it goes on where it was stopped, whatever stopped it. A temporary one if None.

    Yields:
        Results as they come; those of an earlier run first.

    Raises:
        ModelError: If the model cannot be loaded or is not what its file holds, or there is no room.
        SourceError: If the cluster cannot be reached.
        MissingExtraError: If Dask is needed and not installed.
    """
    loaded = model if isinstance(model, Model) else load_model(model)
    with ExitStack() as stack:
        temporary = folder is None
        place = Path(folder or stack.enter_context(tempfile.TemporaryDirectory(prefix="img2imu-"))).resolve()
        stack.enter_context(locked(place))
        digest = digest_of(loaded)
        jobs = (make_job(str(path), loaded, digest, place, "jsonl") for path in paths)
        for result in run_jobs(jobs, workers=workers, cluster=cluster):
            yield result
            if temporary:
                result.piece.unlink(missing_ok=True)


def run_jobs(jobs: Iterable[Job], *, workers: int | None, cluster: str | None) -> Iterator[FileResult]:
    """Results of jobs as they come: at once where an earlier run has done them."""
    from img2imu_edge.batch.pool import run_locally, run_on_cluster

    done: list[FileResult] = []

    def left() -> Iterator[Job]:
        for job in jobs:
            if job.piece.exists():
                done.append(FileResult(job.file, None, 0, 0.0, job.size, True, job.piece))
            else:
                yield job

    for result in run_on_cluster(left(), cluster) if cluster else run_locally(left(), workers):
        yield from done
        done.clear()
        yield result
    yield from done


def make_job(file: str, model: Model, digest: str, folder: Path, kind: Kind) -> Job:
    """What is to be done with a file; its piece's name tells all that its content depends on."""
    path = Path(file).absolute()
    parts = [str(path), file, digest, kind, version("img2imu-edge")]
    size = 0
    for one in (path, path.with_suffix(".json")):
        with suppress(OSError):  # it is told when it is read
            about = one.stat()
            parts.append(f"{about.st_size} {about.st_mtime_ns}")
            size = size or about.st_size
    name = hashlib.sha256("\0".join(parts).encode(errors="surrogateescape")).hexdigest()[:32]
    return Job(file, path, size, folder / f"{name}{PIECE}", kind, model.path.absolute(), digest)


def digest_of(model: Model) -> str:
    """SHA-256 of a model's file, which is what the processes load.

    Raises:
        ModelError: If it is not what was loaded, as with a model that a wearer's classes were added to.
    """
    try:
        content = model.path.read_bytes()
    except OSError as error:
        raise ModelError(f"{model.path}: {error.strerror or error}; every process reads it") from error
    if read_card(unpack(content)) != model.card:
        raise ModelError(
            f"the model is not what {model.path} holds, which is what every process would take; "
            "classify with what was enrolled one recording at a time: classify_recording"
        )
    return hashlib.sha256(content).hexdigest()


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Make a folder ours alone while the context lasts, and clear it of what was never finished.

    Raises:
        RecordingError: If another run is at work in it.
        ModelError: If it cannot be made.
    """
    import fcntl  # where there is none, only this does not work

    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise cannot_write(folder, error) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise RecordingError(f"another run is at work in {folder}: wait for it, or choose another") from error
    try:
        for left in folder.glob(f"{UNFINISHED}*"):
            left.unlink(missing_ok=True)
        yield
    finally:
        os.close(descriptor)

"""`classify_archive`: all recordings of an archive into one file of results."""

from __future__ import annotations

import glob
import json
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from img2imu_edge.batch.files import LOCK, PIECE, digest_of, locked, make_job, run_jobs
from img2imu_edge.batch.rows import Kind, join, kind_of
from img2imu_edge.batch.worker import UNFINISHED, FileResult
from img2imu_edge.errors import RecordingError
from img2imu_edge.model import Model
from img2imu_edge.sinks.files import keep_recording
from img2imu_edge.whole import cannot_write, write_whole


@dataclass(slots=True)
class Summary:
    """What became of an archive.

    Attributes:
        files: Recordings in the results.
        earlier: Of these, classified by an earlier run.
        windows: Decisions of this run.
        seconds: Length of the recordings that this run read.
        skipped: Recordings that are not in the results, and why.
    """

    files: int = 0
    earlier: int = 0
    windows: int = 0
    seconds: float = 0.0
    skipped: list[FileResult] = field(default_factory=list)

    def add(self, result: FileResult) -> None:
        """Count a result."""
        if result.error is not None:
            self.skipped.append(result)
            return
        self.files += 1
        self.earlier += result.earlier
        self.windows += result.windows
        self.seconds += result.seconds


def find_files(patterns: Sequence[str], out: Path) -> list[str]:
    """Recordings that patterns such as `data/**/*.csv` name, each once, in order; not the results themselves.

    Raises:
        RecordingError: If there are none.
    """
    ours = {out.absolute(), skipped_list(out).absolute()}
    found = {name for pattern in patterns for name in glob.iglob(pattern, recursive=True)}  # noqa: PTH207
    files = sorted(name for name in found if Path(name).absolute() not in ours and not Path(name).is_dir())
    if not files:
        told = " ".join(patterns)
        raise RecordingError(f"no file is named by {told}; quote it, and try: ls {told}")
    return files


def classify_archive(
    files: Sequence[str],
    model: Model,
    out: Path,
    *,
    workers: int | None = None,
    cluster: str | None = None,
    tell: Callable[[FileResult], None] = lambda result: None,
) -> Summary:
    """Classify recordings into one file, which appears when it is whole.

    What is done waits in a folder beside it, `NAME.pieces`: called again with the same, it goes on where it
    was stopped. The folder goes when all are done; while some were skipped it stays, so that after a repair
    only those are left to do.

    Args:
        files: The recordings, in the order of the results.
        model: The model.
        out: A .parquet, .jsonl or .csv file.
        workers: As in `classify_files`.
        cluster: As in `classify_files`.
        tell: Called with every result.

    Raises:
        RecordingError: If `out` has another ending, or another run is writing it.
        OutputError: If `out` is a recording, which would be lost.
        ModelError: If it cannot be written; what is done is kept.
    """
    kind, folder, digest = kind_of(out), pieces_folder(out), digest_of(model)
    if out.is_dir():
        raise RecordingError(f"{out} is a folder; name a file")
    keep_recording(out)
    summary, made = Summary(), dict[str, Path]()
    with locked(folder):
        jobs = (make_job(file, model, digest, folder, kind) for file in files)
        for result in run_jobs(jobs, workers=workers, cluster=cluster):
            summary.add(result)
            if result.error is None:
                made[result.file] = result.piece
            tell(result)
        pieces = [made[file] for file in files if file in made]
        _write(kind, pieces, out.resolve(), folder, model)
        summary.skipped.sort(key=lambda result: result.file)
        _list_skipped(summary.skipped, skipped_list(out))
        kept = set(pieces) if summary.skipped else set()
        for path in set(folder.glob(f"*{PIECE}")) - kept:
            path.unlink()
        if not summary.skipped:
            (folder / LOCK).unlink()
            with suppress(OSError):  # something of someone else is in it
                folder.rmdir()
    return summary


def skipped_list(out: Path) -> Path:
    """Where it is told what was skipped, and why: a line of JSON each."""
    return out.with_name(f"{out.name}.skipped.jsonl")


def pieces_folder(out: Path) -> Path:
    """Where pieces of a result wait until all are made."""
    return out.resolve().with_name(f"{out.name}.pieces")


def _write(kind: Kind, pieces: Sequence[Path], out: Path, folder: Path, model: Model) -> None:
    unfinished = folder / f"{UNFINISHED}{out.name}"
    try:
        join(kind, pieces, unfinished, model.card.labels)
        with unfinished.open("rb+") as file:
            os.fsync(file.fileno())
        if out.exists():
            unfinished.chmod(out.stat().st_mode)
        unfinished.replace(out)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise cannot_write(out, error) from error


def _list_skipped(skipped: Sequence[FileResult], path: Path) -> None:
    lines = [json.dumps({"file": result.file, "error": result.error}) + "\n" for result in skipped]
    if lines:
        write_whole(path, "".join(lines).encode())
    else:
        path.unlink(missing_ok=True)

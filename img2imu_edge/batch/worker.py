"""One recording into one piece of results: what a process of the pool, or of a cluster, is asked to do."""

from __future__ import annotations

import hashlib
import os
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from img2imu_edge.batch.reader import spooled
from img2imu_edge.batch.rows import Kind, open_rows, read_rows
from img2imu_edge.container import unpack
from img2imu_edge.decision import Decision
from img2imu_edge.errors import Img2ImuError, ModelError
from img2imu_edge.model import Model, open_model
from img2imu_edge.session import Session, decide
from img2imu_edge.whole import cannot_write

UNFINISHED = ".unfinished-"
"""How the names of files begin that are being written."""

_mine = threading.local()


@dataclass(frozen=True, slots=True)
class Job:
    """A recording to classify.

    Attributes:
        file: Its path as it was given.
        path: The same from anywhere on the machine.
        size: In bytes; 0 where that is not known.
        piece: Where its decisions go.
        kind: As what.
        model: The model's file.
        digest: Its SHA-256.
    """

    file: str
    path: Path
    size: int
    piece: Path
    kind: Kind
    model: Path
    digest: str


@dataclass(frozen=True, slots=True)
class FileResult:
    """What became of a recording.

    Attributes:
        file: Its path as it was given.
        error: Why it was skipped; None if it was not.
        windows: Decisions made; 0 where an earlier run made them.
        seconds: Length of the recording; 0 where an earlier run read it.
        size: Size of the file in bytes.
        earlier: Whether an earlier run had classified it.
        piece: The file that holds its decisions until the next result is asked for.
    """

    file: str
    error: str | None
    windows: int
    seconds: float
    size: int
    earlier: bool
    piece: Path

    def decisions(self) -> Iterator[Decision]:
        """Its decisions, one after the other, from the disk; none if it was skipped."""
        return iter(()) if self.error is not None else read_rows(self.piece)


def classify_file(job: Job) -> FileResult:
    """Classify a recording as `classify_recording` does, in bounded memory, into a file that is whole.

    Whatever is wrong with the recording is told in the result.

    Raises:
        ModelError: If the model is not the one meant, or the results cannot be written.
    """
    model = _model(job.model, job.digest)
    try:
        with _written(job.piece) as unfinished, spooled(job.path, job.piece.parent) as recording:
            session, windows = Session(model, recording.rate, recording.channels), 0
            rows = open_rows(job.kind, unfinished, model.card.labels)
            name = job.file.encode("utf-8", "replace").decode()  # a name on a disk may be any bytes
            try:
                for block in recording.blocks():
                    decisions = decide([(session, session.take(block))])[0]
                    rows.write(name, decisions)
                    windows += len(decisions)
                decisions = session.finish()
                rows.write(name, decisions)
            finally:
                rows.close()
            return FileResult(
                job.file, None, windows + len(decisions), recording.seconds, job.size, False, job.piece
            )
    except OSError as error:  # the reader has its own errors: this is the disk that we write to
        raise cannot_write(job.piece.parent, error) from error
    except Exception as error:  # one file of thousands, and anything may be in it
        return skipped(job, str(error) if isinstance(error, Img2ImuError) else repr(error))


def skipped(job: Job, why: str) -> FileResult:
    """The result of a recording that could not be classified."""
    return FileResult(job.file, why, 0, 0.0, job.size, False, job.piece)


@contextmanager
def _written(path: Path) -> Iterator[Path]:
    """A file that takes its name once the context is left without an error."""
    unfinished = path.with_name(f"{UNFINISHED}{secrets.token_hex(8)}")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        yield unfinished
        os.fsync(descriptor)
        unfinished.replace(path)
    finally:
        os.close(descriptor)
        with suppress(OSError):
            unfinished.unlink()


def _model(path: Path, digest: str) -> Model:
    """The model, loaded once a thread: no engine waits for another's."""
    held: tuple[str, Model] | None = getattr(_mine, "model", None)
    if held is None or held[0] != digest:
        try:
            content = path.read_bytes()
        except OSError as error:
            raise ModelError(f"{path}: {error.strerror or error}; every worker must see this file") from error
        if hashlib.sha256(content).hexdigest() != digest:
            raise ModelError(f"{path} is another model here than where it was asked for; copy it again")
        held = _mine.model = (digest, open_model(unpack(content), path))
    return held[1]

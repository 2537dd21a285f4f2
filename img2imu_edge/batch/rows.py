"""Decisions as rows of a file: Parquet, JSON lines or CSV; written in pieces, joined into one."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

from img2imu_edge.columns import FIELDS, score_cells, score_columns
from img2imu_edge.decision import Decision
from img2imu_edge.errors import RecordingError
from img2imu_edge.extras import extra

Kind = Literal["parquet", "jsonl", "csv"]
KINDS: dict[str, Kind] = {".parquet": "parquet", ".jsonl": "jsonl", ".csv": "csv"}
COLUMNS = ("file", *FIELDS)
"""Of every format; then there is `scores` in JSON, and a column for each class in the others."""

_GROUP = 1 << 16
"""Rows in a group of a Parquet file: what is held at once."""

_PIECE_GROUP = 1 << 12


class Rows(Protocol):
    """A piece that is being written."""

    def write(self, file: str, decisions: Sequence[Decision]) -> None:
        """Add a recording's decisions."""

    def close(self) -> None:
        """Write what is left."""


def kind_of(out: Path) -> Kind:
    """The format that a file's name asks for.

    Raises:
        RecordingError: If it asks for none of ours.
        MissingExtraError: If what writes it is not installed.
    """
    kind = KINDS.get(out.suffix.lower())
    if kind is None:
        raise RecordingError(f"{out}: results are written as {', '.join(KINDS)}; choose one of these endings")
    if kind == "parquet":
        _arrow()
    return kind


def open_rows(kind: Kind, path: Path, labels: Sequence[str]) -> Rows:
    """A new piece.

    Args:
        kind: Its format.
        path: Its file, which is made.
        labels: The model's classes.
    """
    if kind == "parquet":
        return _ParquetRows(path, labels, _PIECE_GROUP)
    return _JsonRows(path) if kind == "jsonl" else _CsvRows(path, labels)


def join(kind: Kind, pieces: Iterable[Path], out: Path, labels: Sequence[str]) -> None:
    """Write many pieces into one file, in their order."""
    if kind == "parquet":
        _join_parquet(pieces, out, labels)
        return
    with out.open("wb") as file:
        if kind == "csv":
            header = io.StringIO()
            csv.writer(header, lineterminator="\n").writerow((*COLUMNS, *score_columns(labels)))
            file.write(header.getvalue().encode())
        for piece in pieces:
            with piece.open("rb") as part:
                shutil.copyfileobj(part, file)


def read_rows(piece: Path) -> Iterator[Decision]:
    """The decisions of a piece of JSON lines."""
    with piece.open(encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            del row["file"]
            yield Decision(**row)


class _JsonRows:
    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="utf-8")

    def write(self, file: str, decisions: Sequence[Decision]) -> None:
        self._file.writelines(
            json.dumps({"file": file, **{name: getattr(d, name) for name in (*FIELDS, "scores")}}) + "\n"
            for d in decisions
        )

    def close(self) -> None:
        self._file.close()


class _CsvRows:
    def __init__(self, path: Path, labels: Sequence[str]) -> None:
        self._file = path.open("w", encoding="utf-8", newline="")
        self._writer = csv.writer(self._file, lineterminator="\n")
        self._labels = labels

    def write(self, file: str, decisions: Sequence[Decision]) -> None:
        for d in decisions:
            own = (getattr(d, name) for name in FIELDS)
            self._writer.writerow([file, *own, *score_cells(d, self._labels)])

    def close(self) -> None:
        self._file.close()


class _ParquetRows:
    """Rows are held as columns until they make a group."""

    def __init__(self, path: Path, labels: Sequence[str], group: int = _GROUP) -> None:
        self._pa, pq = _arrow()
        self._schema, self._labels = _schema(labels), labels
        self._writer = pq.ParquetWriter(path, self._schema, compression="zstd")
        self._group = group
        self._held: list[Any] = []

    def write(self, file: str, decisions: Sequence[Decision]) -> None:
        columns: dict[str, list[Any]] = {name: [getattr(d, name) for d in decisions] for name in FIELDS}
        columns["file"] = [file] * len(decisions)
        for at, name in enumerate(score_columns(self._labels)):
            columns[name] = [d.scores.get(self._labels[at]) for d in decisions]
        self.add(self._pa.RecordBatch.from_pydict(columns, self._schema))

    def add(self, batch: Any) -> None:
        """Add rows that are columns already."""
        self._held.append(batch)
        if sum(len(held) for held in self._held) >= self._group:
            self._flush()

    def close(self) -> None:
        if self._held:
            self._flush()
        self._writer.close()

    def _flush(self) -> None:
        self._writer.write_table(self._pa.Table.from_batches(self._held, self._schema))
        self._held = []
        self._pa.default_memory_pool().release_unused()  # else it keeps a hundred MiB for later


def _join_parquet(pieces: Iterable[Path], out: Path, labels: Sequence[str]) -> None:
    _, pq = _arrow()
    rows = _ParquetRows(out, labels)
    try:
        for piece in pieces:
            with pq.ParquetFile(piece) as file:
                for batch in file.iter_batches(_GROUP, use_threads=False):
                    rows.add(batch)
    finally:
        rows.close()


def _schema(labels: Sequence[str]) -> Any:
    pa, _ = _arrow()
    number, name = pa.float64(), pa.string()  # the file holds each name once all the same
    return pa.schema(
        [
            ("file", name),
            ("time", number),
            ("label", name),
            ("confidence", number),
            ("coverage", number),
            ("status", name),
            ("novelty", number),
            *((name, number) for name in score_columns(labels)),
        ]
    )


def _arrow() -> tuple[Any, Any]:
    with extra("batch", "Parquet, unlike .jsonl and .csv,"):
        import pyarrow as pa
        import pyarrow.parquet as pq
    return pa, pq

"""Decisions as rows of a file: Parquet, JSON lines or CSV; written in pieces, joined into one."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

from img2imu_edge.decision import Decision
from img2imu_edge.errors import MissingExtraError, RecordingError

Kind = Literal["parquet", "jsonl", "csv"]
KINDS: dict[str, Kind] = {".parquet": "parquet", ".jsonl": "jsonl", ".csv": "csv"}
COLUMNS = ("file", "time", "label", "confidence", "coverage", "status", "novelty", "scores")

_GROUP = 1 << 16
"""Rows in a group of a Parquet file: what is held at once."""


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
    if out.suffix not in KINDS:
        raise RecordingError(f"{out}: results are written as {', '.join(KINDS)}; choose one of these endings")
    kind = KINDS[out.suffix]
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
        return _ParquetRows(path, labels)
    return _JsonRows(path) if kind == "jsonl" else _CsvRows(path, labels)


def join(kind: Kind, pieces: Iterable[Path], out: Path, labels: Sequence[str]) -> None:
    """Write many pieces into one file, in their order."""
    if kind == "parquet":
        _join_parquet(pieces, out, labels)
        return
    with out.open("wb") as file:
        if kind == "csv":
            header = io.StringIO()
            names = (*COLUMNS[:-1], *(f"score_{label}" for label in labels))
            csv.writer(header, lineterminator="\n").writerow(names)
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
            json.dumps({name: file if name == "file" else getattr(d, name) for name in COLUMNS}) + "\n"
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
            scores = [d.scores.get(label) for label in self._labels]
            self._writer.writerow(
                [file, d.time, d.label, d.confidence, d.coverage, d.status, d.novelty, *scores]
            )

    def close(self) -> None:
        self._file.close()


class _ParquetRows:
    def __init__(self, path: Path, labels: Sequence[str]) -> None:
        _, pq = _arrow()
        self._schema = _schema(labels)
        self._writer = pq.ParquetWriter(path, self._schema, compression="zstd")

    def write(self, file: str, decisions: Sequence[Decision]) -> None:
        pa, _ = _arrow()
        columns: dict[str, list[Any]] = {name: [getattr(d, name) for d in decisions] for name in COLUMNS[1:]}
        columns["scores"] = [scores or None for scores in columns["scores"]]
        self._writer.write_table(
            pa.table({"file": [file] * len(decisions), **columns}, schema=self._schema), row_group_size=_GROUP
        )

    def close(self) -> None:
        self._writer.close()


def _join_parquet(pieces: Iterable[Path], out: Path, labels: Sequence[str]) -> None:
    pa, pq = _arrow()
    schema = _schema(labels)
    held: list[Any] = []
    with pq.ParquetWriter(out, schema, compression="zstd") as writer:
        for piece in pieces:
            with pq.ParquetFile(piece) as file:
                for batch in file.iter_batches(_GROUP, use_threads=False):
                    held.append(batch)
                    if sum(len(b) for b in held) >= _GROUP:  # or every short recording would be a group
                        writer.write_table(pa.Table.from_batches(held, schema))
                        held = []
        if held:
            writer.write_table(pa.Table.from_batches(held, schema))


def _schema(labels: Sequence[str]) -> Any:
    pa, _ = _arrow()
    number, name = pa.float64(), pa.dictionary(pa.int32(), pa.string())
    return pa.schema(
        [
            ("file", name),
            ("time", number),
            ("label", name),
            ("confidence", number),
            ("coverage", number),
            ("status", name),
            ("novelty", number),
            ("scores", pa.struct([(label, number) for label in labels])),
        ]
    )


def _arrow() -> tuple[Any, Any]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MissingExtraError(
            "Parquet needs pyarrow, which is not installed; get it with: pip install 'img2imu-edge[batch]', "
            "or write .jsonl or .csv"
        ) from error
    return pa, pq

"""Unpacking of archives that came from elsewhere: no path leaves the folder, and no size goes unbounded."""

from __future__ import annotations

import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import IO

from img2imu_edge.errors import DownloadError

_BLOCK = 2**20
_DEEPEST = 3
"""Archives within archives."""


def unpack(archive: Path, folder: Path, members: tuple[str, ...], limit: int) -> int:
    """Unpack those files of a `.zip` or tar archive that match a pattern, and of the `.zip` files within it.

    Args:
        archive: What to unpack.
        folder: Where to; paths within the archive are kept.
        members: Patterns (`fnmatch`) for `/` followed by the path within the archive.
        limit: Bytes that may be written, all files together.

    Returns:
        How many files were unpacked.

    Raises:
        DownloadError: If it is no archive, is damaged, would write outside of the folder or too much.
    """
    try:
        count, _ = _unpack(archive, folder, members, limit, _DEEPEST)
    except (
        zipfile.BadZipFile,
        tarfile.TarError,
        zlib.error,
        EOFError,
        RuntimeError,
        OSError,
    ) as error:
        raise DownloadError(
            f"{archive} is no archive that can be unpacked ({error}); delete it and run again"
        ) from error
    return count


def _unpack(archive: Path, folder: Path, members: tuple[str, ...], limit: int, depth: int) -> tuple[int, int]:
    """As `unpack`; gives the files and what is left of the limit."""
    count = 0
    with _opened(archive) as entries:
        for name, source in entries:
            path = PurePosixPath(name.replace("\\", "/"))
            inner = path.suffix.lower() == ".zip" and depth > 1
            if not inner and not any(fnmatchcase(f"/{path}", pattern) for pattern in members):
                continue
            if path.is_absolute() or ".." in path.parts or ":" in str(path):
                raise DownloadError(f"{archive} holds {name!r}, which would land outside of its folder")
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            limit = _copy(source, target, limit, archive)
            if inner:
                found, limit = _unpack(target, folder, members, limit, depth - 1)
                target.unlink()
                count += found
            else:
                count += 1
    return count, limit


@contextmanager
def _opened(archive: Path) -> Iterator[Iterator[tuple[str, IO[bytes]]]]:
    """Names and contents of an archive's regular files; links and devices are passed over."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as packed:
            yield _zip_entries(packed)
    else:
        with tarfile.open(archive, "r|*") as tar:
            yield ((m.name, f) for m in tar if m.isreg() and (f := tar.extractfile(m)) is not None)


def _zip_entries(packed: zipfile.ZipFile) -> Iterator[tuple[str, IO[bytes]]]:
    for info in packed.infolist():
        if not info.is_dir() and not stat.S_ISLNK(info.external_attr >> 16):
            with packed.open(info) as source:
                yield info.filename, source


def _copy(source: IO[bytes], target: Path, limit: int, archive: Path) -> int:
    """Copy a file and give what is left of the limit; sizes that archives state are not believed."""
    with target.open("wb") as file:
        while block := source.read(_BLOCK):
            limit -= len(block)
            if limit < 0:
                raise DownloadError(f"{archive} holds more than it should; it is not the file that was meant")
            file.write(block)
    return limit

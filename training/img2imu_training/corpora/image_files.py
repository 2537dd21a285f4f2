"""Photographs on disk: folders of image files and tar shards, and how one of them is decoded."""

from __future__ import annotations

import io
import tarfile
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from img2imu_edge.errors import RecordingError

IMAGE_ENDINGS = (".jpg", ".jpeg", ".png", ".webp")
SHARD_ENDINGS = (".tar", ".tar.gz", ".tgz")

_LARGEST_FILE = 64 * 2**20
"""Bytes; an image file that is larger is left out."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something that could not be used.

    Attributes:
        name: File, or shard and member.
        reason: Why.
    """

    name: str
    reason: str


@dataclass(slots=True)
class Source:
    """A folder of image files, or one tar shard.

    Attributes:
        path: Where it lies.
        files: Image files of a folder; empty for a shard.
        skipped: What could not be read so far.
    """

    path: Path
    files: tuple[Path, ...] = ()
    skipped: list[Skipped] = field(default_factory=list)

    def identity(self) -> dict[str, object]:
        """What says whether it is still the same: its path, files, bytes and time of last change."""
        stats = [file.stat() for file in self.files or (self.path,)]
        return {
            "path": str(self.path.resolve()),
            "files": len(stats),
            "bytes": sum(stat.st_size for stat in stats),
            "changed_ns": max(stat.st_mtime_ns for stat in stats),
        }

    def images(self) -> Iterator[tuple[str, bytes]]:
        """Name and encoded bytes of every image; what cannot be read goes to `skipped`.

        A shard that ends early gives what it held until then.
        """
        return self._from_files() if self.files else self._from_shard()

    def _from_files(self) -> Iterator[tuple[str, bytes]]:
        for file in self.files:
            try:
                if file.stat().st_size > _LARGEST_FILE:
                    self.skipped.append(Skipped(str(file), "larger than 64 MiB"))
                    continue
                data = file.read_bytes()
            except OSError as error:
                self.skipped.append(Skipped(str(file), str(error)))
                continue
            yield str(file), data

    def _from_shard(self) -> Iterator[tuple[str, bytes]]:
        count = 0
        try:
            with tarfile.open(self.path, "r|*") as shard:
                for member in shard:
                    if not (member.isfile() and is_image(member.name)):
                        continue
                    name = f"{self.path}:{member.name}"
                    if member.size > _LARGEST_FILE:
                        self.skipped.append(Skipped(name, "larger than 64 MiB"))
                        continue
                    held = shard.extractfile(member)
                    if held is not None:
                        yield name, held.read()
                        count += 1
        except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
            reason = f"the shard breaks off after {count} images ({error}); download it again for the rest"
            self.skipped.append(Skipped(str(self.path), reason))


def is_image(name: str) -> bool:
    """Whether a file's name says that it is an image; the shadows that macOS leaves in archives are not."""
    path = PurePosixPath(name)
    return path.name.lower().endswith(IMAGE_ENDINGS) and not path.name.startswith("._")


def find_sources(paths: list[Path]) -> list[Source]:
    """The folders and shards among these paths; shards within a folder count too.

    Raises:
        RecordingError: If a path is missing, is neither, or holds no images.
    """
    sources = []
    for path in paths:
        if path.is_dir():
            found = sorted(p for p in path.rglob("*") if p.is_file())
            images = tuple(p for p in found if is_image(p.name))
            shards = [p for p in found if p.name.lower().endswith(SHARD_ENDINGS)]
            if not images and not shards:
                raise RecordingError(
                    f"{path} holds no images ({', '.join(IMAGE_ENDINGS)}) and no shards "
                    f"({', '.join(SHARD_ENDINGS)}); name the folder that does"
                )
            sources += [Source(path, images)] if images else []
            sources += [Source(shard) for shard in shards]
        elif path.is_file() and path.name.lower().endswith(SHARD_ENDINGS):
            sources.append(Source(path))
        elif path.exists():
            raise RecordingError(f"{path} is neither a folder nor a shard ({', '.join(SHARD_ENDINGS)})")
        else:
            raise RecordingError(f"{path} does not exist")
    return sources


def decode(data: bytes, size: int) -> NDArray[np.uint8]:
    """An image's largest central square, as (3, size, size).

    Args:
        data: An image file.
        size: Side, pixels.

    Raises:
        Exception: Whatever Pillow meets in a file that is damaged or no image.
    """
    from PIL import Image, ImageOps

    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(io.BytesIO(data)) as opened:
            opened.draft("RGB", (size, size))  # lets a large JPEG be decoded at a fraction of its size
            image = ImageOps.exif_transpose(opened).convert("RGB")
    side = min(image.size)
    left, top = (image.width - side) / 2, (image.height - side) / 2
    square = image.resize(
        (size, size), Image.Resampling.BICUBIC, (left, top, left + side, top + side), reducing_gap=3.0
    )
    return np.ascontiguousarray(np.asarray(square).transpose(2, 0, 1))


def decode_all(encoded: list[tuple[str, bytes]], size: int) -> tuple[NDArray[np.uint8], list[Skipped]]:
    """Decode some images; those that cannot be are named instead.

    Returns:
        (n, 3, size, size), and what was left out.
    """
    from PIL import UnidentifiedImageError

    images, skipped = [], []
    for name, data in encoded:
        try:
            images.append(decode(data, size))
        except UnidentifiedImageError:
            skipped.append(Skipped(name, "no image of a kind that Pillow reads"))
        except Exception as error:  # Pillow's readers raise whatever their parsers run into
            skipped.append(Skipped(name, f"{type(error).__name__}: {error}"))
    return np.array(images, np.uint8).reshape(-1, 3, size, size), skipped

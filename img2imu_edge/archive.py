"""Zip archives from anyone: what may be in one is bounded before any of it is read."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from img2imu_edge.errors import ModelError

if TYPE_CHECKING:
    from zipfile import ZipInfo

_END = b"PK\x05\x06"
_END_SIZE = 22
_END64_LOCATOR = b"PK\x06\x07"
_END64_LOCATOR_SIZE = 20
_ENCRYPTED = 1
_MOST_ENTRIES = 16
_LARGEST_DIRECTORY = 16 << 10


def has_archive(content: bytes) -> bool:
    """Whether the last bytes are the end of an archive, as those that we write have it: without a comment."""
    return content[-_END_SIZE:][:4] == _END


def read_archive(content: bytes, limit: int) -> tuple[dict[str, bytes], int]:
    """The entries of an archive of ours.

    Args:
        content: Ends with the archive; anything may come before.
        limit: Most bytes of all entries together, unpacked.

    Returns:
        Contents by name, and where the archive starts.

    Raises:
        ModelError: If it is damaged, larger than the limit, or not of the kind that we write: encrypted, with
            a name twice, with more than a few entries.
    """
    if not has_archive(content):
        raise ModelError("it is no archive, or cut short")
    end = len(content) - _END_SIZE
    entries = int.from_bytes(content[end + 10 : end + 12], "little")
    directory = int.from_bytes(content[end + 12 : end + 16], "little")
    large = content[end - _END64_LOCATOR_SIZE : end][:4] == _END64_LOCATOR
    # The directory becomes objects, some hundred bytes an entry: looked at before it is read.
    if large or entries > _MOST_ENTRIES or directory > _LARGEST_DIRECTORY:
        raise ModelError("it has more entries than any archive of ours")
    import zipfile  # here, for it brings compressors along that `import img2imu_edge` does without

    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            found = archive.infolist()
            _check(found, limit)
            # zipfile reads no more than the size that it told, whatever a compressed stream would give.
            start = min((entry.header_offset for entry in found), default=archive.start_dir)
            return {entry.filename: archive.read(entry) for entry in found}, start
    except ModelError:
        raise
    except Exception as error:  # zipfile and the decompressors raise a dozen kinds on damaged archives
        raise ModelError(f"it is damaged: {error}") from error


def _check(entries: Sequence[ZipInfo], limit: int) -> None:
    if len({entry.filename for entry in entries}) < len(entries):
        raise ModelError("it has an entry twice")
    if any(entry.flag_bits & _ENCRYPTED for entry in entries):
        raise ModelError("it is encrypted")
    if sum(entry.file_size for entry in entries) > limit:
        raise ModelError(f"it is larger than {limit >> 20} MiB")

"""Download of one file: resumed where it broke off, bounded in size, checked by its checksum."""

from __future__ import annotations

import hashlib
import http.client
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from img2imu_edge.errors import DownloadError
from img2imu_training.datasets.catalogue import RemoteFile

Progress = Callable[[int, int], None]
"""Called with the bytes that are there and the bytes in all; 0 where the server does not say."""

_BLOCK = 2**18
_TIMEOUT_S = 30.0
_SLACK = 10
"""A file so many times larger than the catalogue says is not the file that was meant."""


def download(
    remote: RemoteFile,
    folder: Path,
    homepage: str,
    progress: Progress = lambda done, total: None,
    attempts: int = 4,
    pause_s: float = 1.0,
) -> Path:
    """Download a file, unless it is there.

    It arrives as `<name>.part`; what is there of one is continued where the server can, and the file takes
    its name when it is whole.

    Args:
        remote: What.
        folder: Where to.
        homepage: Where people can look for it, for messages.
        progress: Called after each block.
        attempts: How often to try before giving up; an attempt that brings something does not count.
        pause_s: Pause after the first failure, s; it doubles with each.

    Returns:
        The file.

    Raises:
        DownloadError: If it cannot be had, is far larger than expected, or its checksum is another; the
            message says how to bring it by hand.
    """
    path = folder / remote.name
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        _bring(remote, path, homepage, progress, attempts, pause_s)
    if remote.sha256 and (found := checksum(path)) != remote.sha256:
        raise DownloadError(
            f"{path} is not the expected file: its SHA-256 is {found}, not {remote.sha256}; delete it and "
            f"run again, and if that does not help, see {homepage}"
        )
    return path


def checksum(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _bring(
    remote: RemoteFile, path: Path, homepage: str, progress: Progress, attempts: int, pause_s: float
) -> None:
    partial = path.with_name(path.name + ".part")
    by_hand = f"download {remote.url} by hand to {path} and run again"
    failed = 0
    while True:
        before = _size(partial)
        try:
            _continue(remote, partial, progress)
            partial.replace(path)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == 416 and before:  # what is there is not a beginning of the file
                partial.unlink()
                continue
            if error.code < 500:
                raise DownloadError(
                    f"{remote.url} answers {error.code} {error.reason}; look at {homepage} for where it "
                    f"moved, put the file at {path} and run again"
                ) from error
            reason: object = f"{error.code} {error.reason}"
        except urllib.error.URLError as error:
            reason = error.reason
        except (http.client.HTTPException, ConnectionError, TimeoutError, ssl.SSLError) as error:
            reason = str(error) or type(error).__name__
        except OSError as error:
            raise DownloadError(
                f"cannot write {partial} ({error}); make room or choose another folder"
            ) from error
        else:
            return
        failed = 0 if _size(partial) > before else failed + 1
        if failed >= attempts:
            host = urllib.request.Request(remote.url).host  # noqa: S310 - the catalogue checks the scheme
            raise DownloadError(f"cannot reach {host} ({reason}); {by_hand}")
        time.sleep(pause_s * 2 ** max(failed - 1, 0))


def _continue(remote: RemoteFile, partial: Path, progress: Progress) -> None:
    """One request for what is missing."""
    done = _size(partial)
    tag_file = partial.with_name(partial.name + ".tag")
    headers = {"User-Agent": "img2imu-edge"}
    if done and tag_file.exists():
        # If-Range: a server whose file has changed since sends all of it.
        headers |= {"Range": f"bytes={done}-", "If-Range": tag_file.read_text(encoding="ascii")}
    request = urllib.request.Request(remote.url, headers=headers)  # noqa: S310
    with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as reply:  # noqa: S310
        resumed = reply.status == 206 and reply.headers.get("Content-Range", "").startswith(f"bytes {done}-")
        done = done if resumed else 0
        tag = reply.headers.get("ETag", "")
        if tag and not tag.startswith("W/"):
            tag_file.write_text(tag, encoding="ascii")
        else:
            tag_file.unlink(missing_ok=True)
        length = int(reply.headers.get("Content-Length") or 0)
        total = done + length if length else 0
        largest = _SLACK * remote.mb * 10**6
        with partial.open("ab" if resumed else "wb") as file:
            while block := reply.read(_BLOCK):
                file.write(block)
                done += len(block)
                if done > largest:
                    raise DownloadError(
                        f"{remote.url} sends more than {largest // 10**6} MB where about {remote.mb} were "
                        "expected; it is not the file that was meant"
                    )
                progress(done, total)
    if total and done < total:
        raise ConnectionError(f"the connection broke off after {done} of {total} bytes")
    tag_file.unlink(missing_ok=True)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0

"""From a name in the catalogue to a corpus on disk."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

from img2imu_edge.errors import RecordingError
from img2imu_training.datasets.catalogue import PublicSet
from img2imu_training.datasets.convert import Convert, write_npz
from img2imu_training.datasets.download import Progress, checksum, download
from img2imu_training.datasets.unpack import unpack
from img2imu_training.recordings import Corpus

DOWNLOADS = "downloads"
"""Folder for the archives, below that of the corpora."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What was fetched.

    Attributes:
        path: The corpus.
        corpus: The same, read.
        archives: What was downloaded, and stays for another conversion.
        notes: What the user should know.
    """

    path: Path
    corpus: Corpus
    archives: tuple[Path, ...]
    notes: tuple[str, ...]


def fetch(
    name: str, public: PublicSet, folder: Path, progress: Progress = lambda done, total: None
) -> Fetched:
    """Download a public set, unpack what is needed of it and convert it to `<folder>/<name>.npz`.

    Args:
        name: Its name in the catalogue.
        public: What the catalogue says.
        folder: Where corpora lie; archives go to `downloads` within.
        progress: Called while a file arrives.

    Raises:
        DownloadError: If a file cannot be had, is not the expected one or cannot be unpacked.
        RecordingError: If it is not laid out as documented.
    """
    folder.mkdir(parents=True, exist_ok=True)
    archives, notes = [], []
    for remote in public.files:
        archive = download(remote, folder / DOWNLOADS, public.homepage, progress)
        archives.append(archive)
        if not remote.sha256:
            notes.append(f"checksum of {remote.name} not known; got SHA-256 {checksum(archive)}")
    with TemporaryDirectory(dir=folder, prefix=f".{name}-") as unpacked:
        left = public.unpacked_mb * 10**6
        count = sum(unpack(archive, Path(unpacked), public.members, left) for archive in archives)
        if not count:
            wanted = ", ".join(public.members)
            raise RecordingError(f"{archives[0]} holds no {wanted}; see {public.homepage}")
        module = importlib.import_module(f"img2imu_training.datasets.{public.converter}")
        corpus = cast(Convert, module.convert)(Path(unpacked), public.options)
    about: dict[str, object] = {
        "source": [remote.url for remote in public.files],
        "licence": public.licence,
        "cite": public.cite,
        "homepage": public.homepage,
        "placement": public.placement,
    }
    corpus = replace(corpus, name=name, about=about)
    path = folder / f"{name}.npz"
    write_npz(path, corpus)
    return Fetched(path, corpus, tuple(archives), tuple(notes))

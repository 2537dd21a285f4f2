"""The catalogue of public recordings."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from img2imu_edge.errors import RecordingError
from img2imu_edge.strict import StrictError, from_json

CATALOGUE = Path(__file__).with_name("catalogue.toml")
"""The catalogue that comes with the package."""


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file to download.

    Attributes:
        url: Where from, http or https.
        name: Name on this machine.
        mb: About how large it is, megabytes.
        sha256: Its checksum in hexadecimal digits; empty where none is known.
    """

    url: str
    name: str
    mb: int
    sha256: str = ""

    def __post_init__(self) -> None:
        if not self.url.startswith(("https://", "http://")):
            raise ValueError(f"{self.url!r} is no http or https address")
        if Path(self.name).name != self.name or self.name.startswith("."):
            raise ValueError(f"{self.name!r} is no plain file name")


@dataclass(frozen=True, slots=True)
class PublicSet:
    """A set of public recordings.

    Attributes:
        title: What people did.
        placement: Where the sensor was worn.
        subjects: Number of people.
        classes: Number of classes.
        rate: Sampling rate of the corpus that it becomes, Hz.
        licence: As its owners state it.
        cite: What to cite.
        homepage: Where it is described.
        converter: Module of this package whose `convert(folder, options)` reads it.
        members: Patterns of the files to unpack (`fnmatch`), matched with the path within the archives.
        unpacked_mb: Unpacking stops with an error beyond so many megabytes.
        files: What to download.
        axes: 6 with a gyroscope, else 3.
        options: For the converter.
    """

    title: str
    placement: str
    subjects: int
    classes: int
    rate: float
    licence: str
    cite: str
    homepage: str
    converter: str
    members: tuple[str, ...]
    unpacked_mb: int
    files: tuple[RemoteFile, ...]
    axes: int = 6
    options: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Public recordings by name."""

    sets: dict[str, PublicSet]

    def __getitem__(self, name: str) -> PublicSet:
        """A set.

        Raises:
            RecordingError: If there is none of this name.
        """
        if name not in self.sets:
            raise RecordingError(f"no set is called {name!r}; there are: {', '.join(sorted(self.sets))}")
        return self.sets[name]


def read_catalogue(path: Path = CATALOGUE) -> Catalogue:
    """Read a catalogue.

    Raises:
        RecordingError: If it cannot be read, or a key is missing, unknown or of the wrong type.
    """
    try:
        return from_json(Catalogue, tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError, StrictError) as error:
        raise RecordingError(f"{path} is not a catalogue: {error}") from error

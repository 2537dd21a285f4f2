"""The profiles that are installed, ours and others', found by entry points and by TOML files."""

from __future__ import annotations

import os
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path

from img2imu_bridge.profiles import Advertisement, Profile
from img2imu_bridge.profiles.tabled import read_profile
from img2imu_edge.errors import SourceError

FOLDER = "IMG2IMU_PROFILES"
"""Environment variable: folders, parted as in PATH, whose TOML files are profiles too."""

_OURS = Path(__file__).parent / "devices"


@cache
def _entries() -> tuple[dict[str, Profile], dict[str, str]]:
    """The profiles of installed packages by name; and why those that cannot be loaded cannot."""
    found: dict[str, Profile] = {}
    broken: dict[str, str] = {}
    for entry in entry_points(group="img2imu.profiles"):
        try:
            profile: Profile = entry.load()
        except Exception as error:  # one package's mistake must not cost the others
            package = entry.dist.name if entry.dist else entry.value
            broken[entry.name] = f"{type(error).__name__}: {error}; update or uninstall {package}"
        else:
            found[profile.name] = profile
    return found, broken


@cache
def profiles() -> dict[str, Profile]:
    """All profiles by name, those of a user's own last.

    A file replaces a profile of the same name. A package whose profile cannot be loaded is left out.

    Raises:
        SourceError: If a file is not a profile; the message names the file and the key.
    """
    others = [Path(folder) for folder in os.environ.get(FOLDER, "").split(os.pathsep) if folder]
    found = {profile.name: profile for profile in _read(_OURS)} | _entries()[0]
    for folder in others:
        for profile in _read(folder):
            found.pop(profile.name, None)
            found[profile.name] = profile
    return found


def find_profile(name: str) -> Profile:
    """A profile by its name, or by the path of its file.

    Raises:
        SourceError: If there is none; the message names those that there are.
    """
    if name.endswith(".toml"):
        return read_profile(Path(name))
    known, broken = profiles(), _entries()[1]
    if name in known:
        return known[name]
    if name in broken:
        raise SourceError(f"the profile {name!r} cannot be loaded: {broken[name]}")
    raise SourceError(f"no profile is called {name!r}; there are: {', '.join(sorted(known))}")


def recognise(advertisement: Advertisement) -> Profile | None:
    """The profile of a device that advertises this, a user's own before others; None if none knows it."""
    return next((p for p in reversed(profiles().values()) if p.recognises(advertisement)), None)


def _read(folder: Path) -> list[Profile]:
    return [read_profile(path) for path in sorted(folder.glob("*.toml"))]

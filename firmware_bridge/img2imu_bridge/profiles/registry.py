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
def profiles() -> dict[str, Profile]:
    """All profiles by name. A user's TOML file replaces a profile of the same name.

    Raises:
        SourceError: If a file is not a profile; the message names the file and the key.
    """
    found: dict[str, Profile] = {}
    for entry in entry_points(group="img2imu.profiles"):
        profile: Profile = entry.load()
        found[profile.name] = profile
    others = [Path(folder) for folder in os.environ.get(FOLDER, "").split(os.pathsep) if folder]
    for folder in (_OURS, *others):
        for path in sorted(folder.glob("*.toml")):
            described = read_profile(path)
            found[described.name] = described
    return found


def find_profile(name: str) -> Profile:
    """A profile by its name.

    Raises:
        SourceError: If there is none; the message names those that there are.
    """
    known = profiles()
    if name.endswith(".toml"):
        return read_profile(Path(name))
    if name not in known:
        raise SourceError(f"no profile is called {name!r}; there are: {', '.join(sorted(known))}")
    return known[name]


def recognise(advertisement: Advertisement) -> Profile | None:
    """The profile of a device that advertises this; None if none knows it."""
    return next((p for p in profiles().values() if p.recognises(advertisement)), None)

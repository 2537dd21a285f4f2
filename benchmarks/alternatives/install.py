"""What has to be installed for each way: megabytes on disk, and of our wheel."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution, distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

_ROOT = Path(__file__).parents[2]
_MB = 1e6
_TOOLS = {"pip", "setuptools"}


@dataclass(frozen=True, slots=True)
class Installed:
    """What an installation takes on disk.

    Attributes:
        total_mb: Megabytes of 10⁶ bytes.
        largest: Its largest packages, largest first, with their megabytes.
    """

    total_mb: float
    largest: dict[str, float]


def needed(packages: Iterable[str]) -> Installed | None:
    """What packages and all that they need take in this environment, compiled files included.

    Args:
        packages: Their names.

    Returns:
        None if one of them is not installed.
    """
    sizes: dict[str, float] = {}
    waiting = [canonicalize_name(name) for name in packages]
    while waiting:
        name = waiting.pop()
        if name in sizes:
            continue
        try:
            found = distribution(name)
        except PackageNotFoundError:
            return None
        sizes[name] = _size(found.locate_file(file) for file in found.files or ())
        for line in found.requires or ():
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                waiting.append(canonicalize_name(requirement.name))
    return _summary(sizes)


def fresh() -> tuple[float, Installed]:
    """Build our wheel and install it into an environment of its own; takes a minute, and the network.

    Returns:
        Megabytes of the wheel; what the environment holds beside pip.
    """
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        pip = [sys.executable, "-m", "pip", "--quiet", "wheel", "--no-deps", "-w", folder, str(_ROOT)]
        subprocess.run(pip, check=True)
        wheel = next(place.glob("*.whl"))
        venv.create(place / "venv", with_pip=True)
        python = place / "venv" / "bin" / "python"
        subprocess.run([python, "-m", "pip", "--quiet", "install", str(wheel)], check=True)
        site = next((place / "venv" / "lib").glob("python*/site-packages"))
        sizes: dict[str, float] = {
            str(canonicalize_name(found.name)): _size(found.locate_file(file) for file in found.files or ())
            for found in distributions(path=[str(site)])
        }
        kept = {name: size for name, size in sizes.items() if name not in _TOOLS}
        return round(wheel.stat().st_size / _MB, 2), _summary(kept)


def _size(files: Iterable[object]) -> float:
    paths = [Path(str(file)) for file in files]
    return sum(path.stat().st_size for path in paths if path.is_file()) / _MB


def _summary(sizes: dict[str, float]) -> Installed:
    largest = sorted(((name, round(size, 1)) for name, size in sizes.items()), key=lambda pair: -pair[1])
    return Installed(round(sum(sizes.values()), 1), dict(largest[:5]))

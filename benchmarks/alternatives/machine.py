"""Where and when figures were taken: without that, they mean little."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_PACKAGES = (
    "img2imu-edge", "numpy", "onnxruntime", "ai-edge-litert", "scipy", "pillow", "torch", "aeon", "numba",
    "scikit-learn",
)  # fmt: skip


@dataclass(slots=True)
class Machine:
    """A computer, and how busy it was.

    Attributes:
        processor: Its name.
        cores: How many this process may use.
        memory_gb: Gigabytes.
        system: Operating system.
        python: Version.
        versions: Of the packages that take part.
        begun: When the run began, UTC.
        load: Mean number of running processes over a minute: before, and after, when it holds our own.
    """

    processor: str = field(default_factory=lambda: _processor())
    cores: int = field(default_factory=lambda: len(os.sched_getaffinity(0)))
    memory_gb: float = field(default_factory=lambda: _memory_gb())
    system: str = field(default_factory=lambda: f"{platform.system()} {platform.release().split('-')[0]}")
    python: str = field(default_factory=platform.python_version)
    versions: dict[str, str] = field(default_factory=lambda: _versions())
    begun: str = field(default_factory=lambda: f"{datetime.now(UTC):%Y-%m-%d %H:%M}")
    load: tuple[float, ...] = field(default_factory=lambda: (round(os.getloadavg()[0], 1),))

    def end(self) -> None:
        """Take note of the load at the end."""
        self.load = (*self.load, round(os.getloadavg()[0], 1))


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    told = [line.split(":", 1)[1].strip() for line in lines if line.startswith(("model name", "Model"))]
    return told[0] if told else platform.machine()


def _memory_gb() -> float:
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)


def _versions() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found

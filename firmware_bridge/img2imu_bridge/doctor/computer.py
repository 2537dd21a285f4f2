"""What computer this is, as far as it matters to a link: for a bug report."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

_PACKAGES: Final = ("img2imu-edge", "numpy", "onnxruntime", "ai-edge-litert", "bleak", "pyserial")
_PATIENCE: Final = 3.0
_GOVERNOR: Final = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
_MODEL: Final = Path("/proc/device-tree/model")
_ADAPTERS: Final = Path("/sys/class/bluetooth")


def describe_computer() -> dict[str, str]:
    """Machine, system, Bluetooth and versions; what cannot be read is left out or called unknown."""
    facts = {
        "machine": _read(_MODEL) or f"{platform.machine()}, {os.cpu_count()} CPUs",
        "system": platform.platform(),
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
    }
    for package in _PACKAGES:
        try:
            facts[package] = version(package)
        except PackageNotFoundError:
            facts[package] = "not installed"
    if platform.system() == "Linux":
        facts["BlueZ"] = _bluez()
        adapters = sorted(path.name for path in _ADAPTERS.glob("hci?")) if _ADAPTERS.is_dir() else []
        facts["Bluetooth adapters"] = ", ".join(adapters) or "none"
    if governor := _read(_GOVERNOR):
        facts["CPU governor"] = governor
    if hasattr(os, "getloadavg"):
        facts["load"] = f"{os.getloadavg()[0]:.1f} on {os.cpu_count()} CPUs"
    return facts


def _bluez() -> str:
    """BlueZ's version by its own tool, which comes with it."""
    tool = shutil.which("bluetoothctl")
    if tool is None:
        return "unknown (no bluetoothctl)"
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(
            [tool, "--version"], capture_output=True, text=True, timeout=_PATIENCE, check=True
        )
        return done.stdout.strip().rpartition(" ")[2] or "unknown"
    return "unknown (bluetoothctl does not say)"


def _read(path: Path) -> str:
    with contextlib.suppress(OSError):
        return path.read_text(encoding="utf-8", errors="replace").strip("\0\n ")
    return ""

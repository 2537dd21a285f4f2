from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import img2imu_edge as i2e

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def model() -> i2e.Model:
    return i2e.load_model("shoulder")


@pytest.fixture(scope="session")
def recording() -> i2e.Recording:
    return i2e.read_recording(i2e.demo_recording())


@pytest.fixture(scope="session")
def offline(recording: i2e.Recording, model: i2e.Model) -> list[i2e.Decision]:
    """The decisions that everything else is compared with."""
    return i2e.classify_recording(recording, model)


@pytest.fixture(scope="session")
def img2imu() -> Run:
    """The genuine command, in a process of its own."""
    command = Path(sys.executable).with_name("img2imu")

    def run(*arguments: object, timeout: float = 100.0) -> subprocess.CompletedProcess[str]:
        line = [str(command), *map(str, arguments)]
        return subprocess.run(line, capture_output=True, text=True, timeout=timeout, check=False)

    return run

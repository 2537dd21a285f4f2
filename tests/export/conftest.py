from __future__ import annotations

from pathlib import Path

import pytest

import img2imu_edge

MODELS = Path(img2imu_edge.__file__).parent / "models"
CHECKPOINT = Path(__file__).parents[2] / "training" / "weights" / "shoulder.safetensors"


@pytest.fixture(scope="session")
def shipped() -> Path:
    """Where the shipped model files lie."""
    return MODELS


@pytest.fixture(scope="session")
def checkpoint() -> Path:
    """The checkpoint that the shipped files come from."""
    return CHECKPOINT

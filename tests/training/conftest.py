from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from img2imu_training import spar
from img2imu_training.recipe import Recipe, read_recipe
from img2imu_training.recordings import Corpus

TRAINING = Path(__file__).parents[2] / "training"


@pytest.fixture(scope="session")
def corpus() -> Corpus:
    return spar.load()


@pytest.fixture(scope="session")
def recipe() -> Recipe:
    """The shipped model's recipe."""
    return read_recipe(TRAINING / "recipes" / "shoulder.toml")


@pytest.fixture(scope="session")
def quick(recipe: Recipe) -> Recipe:
    """The same, cut down to seconds."""
    return replace(recipe, fit=replace(recipe.fit, steps=60, batch=32, average=0.9))


@pytest.fixture(scope="session")
def weights() -> Path:
    return TRAINING / "weights" / "shoulder.safetensors"

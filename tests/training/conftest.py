from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from img2imu_training import spar
from img2imu_training.recipe import Recipe, read_recipe
from img2imu_training.recordings import Corpus

from img2imu_edge.samples import ACCELEROMETER

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
    head = replace(recipe.fit.head, copies=1, most=1200, pairs=1024)
    network = replace(recipe.network, base="untrained:tiny")
    data = replace(recipe.data, channels=ACCELEROMETER)
    return replace(recipe, data=data, network=network, fit=replace(recipe.fit, head=head))


@pytest.fixture(scope="session")
def weights() -> Path:
    return TRAINING / "weights" / "shoulder.safetensors"

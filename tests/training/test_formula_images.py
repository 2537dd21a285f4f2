from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from img2imu_training.corpora.formula_images import (
    MAKERS,
    FormulaImages,
    ImageOptions,
    coloured_noise,
    dead_leaves,
)


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_every_formula_makes_images_that_differ(name: str) -> None:
    made = MAKERS[name](np.random.default_rng(0), 30, 24, 40)
    assert made.shape == (30, 3, 24, 40)
    assert made.dtype == np.uint8
    assert len(np.unique(made.reshape(30, -1), axis=0)) == 30
    contrast = made.std(axis=(2, 3)).max(axis=1)
    assert np.median(contrast) > 12  # something is on them
    assert (made == 255).mean() < 0.3
    assert not np.array_equal(made[:, 0], made[:, 1])  # and in colour


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(sorted(MAKERS)), st.integers(1, 3), st.integers(8, 40), st.integers(8, 40))
def test_any_number_and_shape(name: str, n: int, height: int, width: int) -> None:
    rng = np.random.default_rng(height)
    assert MAKERS[name](rng, n, height, width).shape == (n, 3, height, width)


def test_dead_leaves_have_edges_and_areas() -> None:
    made = dead_leaves(np.random.default_rng(1), 20, 48, 48).astype(float)
    steps = np.abs(np.diff(made, axis=3)).max(axis=1)
    flat, edges = (steps < 4).mean(), (steps > 40).mean()
    assert flat > 0.5
    assert 0.05 < edges < 0.5


def test_noise_falls_with_frequency() -> None:
    made = coloured_noise(np.random.default_rng(1), 60, 64, 64).astype(float)
    power = np.square(np.abs(np.fft.fft2(made - made.mean(axis=(2, 3), keepdims=True)))).mean(axis=(0, 1))
    assert power[1:4, 1:4].mean() > 30 * power[16:20, 16:20].mean()


def test_steps_repeat_and_kinds_follow_their_shares() -> None:
    options = ImageOptions(batch=16, height=16, width=24, kinds={"waves": 1.0, "noise": 2.0, "bands": 0.0})
    first = FormulaImages(options, seed=1).batch(5)
    assert first.shape == (16, 1, 3, 16, 24)
    assert first.equal(FormulaImages(options, seed=1).batch(5))
    assert not first.equal(FormulaImages(options, seed=1).batch(6))
    assert not first.equal(FormulaImages(options, seed=1, rank=1).batch(5))
    with pytest.raises(ValueError, match="'clouds'"):
        ImageOptions(kinds={"clouds": 1.0})
    with pytest.raises(ValueError, match="all 0"):
        ImageOptions(kinds={"waves": 0.0})

"""The classical contestants: features against known signals, and methods against real recordings."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from img2imu_training.benchmark.methods import Method
from img2imu_training.benchmark.methods.features import feature_names, hand_crafted
from img2imu_training.benchmark.methods.hand_crafted import HandCraftedForest, HandCraftedLinear
from img2imu_training.benchmark.methods.linear import classify_linearly
from img2imu_training.benchmark.methods.minirocket import MiniRocket
from img2imu_training.benchmark.methods.row_logistic import RowLogistic
from img2imu_training.recordings import Corpus
from img2imu_training.windows import Windows, cut
from numpy.typing import NDArray

from img2imu_edge.samples import ACCELEROMETER
from img2imu_edge.spec import SpectrogramSpec

RATE = 50.0
LENGTH = 252


@pytest.fixture(scope="module")
def few(corpus: Corpus) -> tuple[Windows, Windows]:
    """Ten windows a class of five people, and a sample of the windows of five others."""
    windows = cut(corpus.only(ACCELEROMETER), LENGTH, LENGTH // 2)
    rng = np.random.default_rng(0)
    known, others = windows.of(corpus.subjects[::2]), windows.of(corpus.subjects[1::2])
    drawn = [rng.permutation(np.flatnonzero(known.labels == label))[:10] for label in range(7)]
    return known.take(np.concatenate(drawn)), others.take(rng.permutation(len(others))[:210])


def column(features: NDArray[np.float64], name: str, axes: int = 3) -> NDArray[np.float64]:
    return features[:, feature_names(axes).index(name)]


def sine(frequency: float, rate: float = RATE, samples: int = LENGTH, axes: int = 3) -> NDArray[np.float32]:
    """One window: gravity along z, and 2 m/s² of a sine along x."""
    window = np.zeros((1, samples, axes), np.float32)
    window[..., 2] = 9.81
    window[0, :, 0] = 2 * np.sin(2 * np.pi * frequency * np.arange(samples) / rate)
    return window


@pytest.mark.parametrize("rate", [30.0, 50.0])
@pytest.mark.parametrize("frequency", [0.8, 2.0, 7.0])
def test_a_sine_has_its_own_frequency_period_and_power(frequency: float, rate: float) -> None:
    features = hand_crafted(sine(frequency, rate, samples=round(5.04 * rate)), rate)
    assert column(features, "acc_x_dominant_frequency") == pytest.approx(frequency, abs=0.2)
    assert column(features, "acc_x_period") == pytest.approx(1 / frequency, abs=1 / rate)
    assert column(features, "acc_x_regularity") > 0.9
    assert column(features, "acc_x_zero_crossings") == pytest.approx(2 * frequency, abs=0.5)
    assert column(features, "acc_x_root_mean_square") == pytest.approx(np.sqrt(2), rel=0.03)
    band = {0.8: "0_1", 2.0: "1_3", 7.0: "5_10"}[frequency]
    assert column(features, f"acc_x_share_{band}_hz") > 0.8


def test_each_feature_has_a_name_and_each_name_is_its_own() -> None:
    for axes in (3, 6):
        names = feature_names(axes)
        assert hand_crafted(sine(1.0, axes=axes), RATE).shape == (1, len(names))
        assert len(set(names)) == len(names)
    with pytest.raises(ValueError, match="3 or 6 axes, not 4"):
        hand_crafted(sine(1.0, axes=4), RATE)


def test_a_sensor_at_rest_has_finite_features() -> None:
    rest = np.zeros((2, LENGTH, 3), np.float32)
    rest[1, :, 1] = 9.81
    features = hand_crafted(rest, RATE)
    assert np.isfinite(features).all()
    assert column(features, "acc_tilt_y")[1] == pytest.approx(0, abs=1e-6)
    assert column(features, "acc_tilt_x")[1] == pytest.approx(np.pi / 2)
    assert column(features, "acc_y_period")[1] == 0


def test_the_order_of_events_shows() -> None:
    down = sine(1.0)
    down[0, LENGTH // 2 :, 0] += 3
    up = down[:, ::-1]
    forth, back = hand_crafted(down, RATE), hand_crafted(np.ascontiguousarray(up), RATE)
    assert column(forth, "acc_x_slope") > 1
    assert column(back, "acc_x_slope") == pytest.approx(-column(forth, "acc_x_slope"))
    assert column(forth, "acc_x_deviation") == pytest.approx(column(back, "acc_x_deviation"))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), turn=st.permutations(range(3)))
def test_exchanging_axes_exchanges_their_features(seed: int, turn: list[int]) -> None:
    window = np.random.default_rng(seed).normal(0, 3, (3, 90, 3)).astype(np.float32)
    plain, turned = hand_crafted(window, 30.0), hand_crafted(window[..., turn], 30.0)
    for name in ("median", "skewness", "centroid", "period", "rise_of_quarter_2"):
        for i, axis in enumerate("xyz"):
            was = column(plain, f"acc_{'xyz'[turn[i]]}_{name}")
            assert column(turned, f"acc_{axis}_{name}") == pytest.approx(was, rel=1e-6, abs=1e-9)
        assert column(turned, f"acc_norm_{name}") == pytest.approx(
            column(plain, f"acc_norm_{name}"), rel=1e-4
        )


def test_features_of_a_window_do_not_depend_on_its_company() -> None:
    windows = np.random.default_rng(1).normal(0, 3, (5, 150, 6)).astype(np.float32)
    np.testing.assert_allclose(hand_crafted(windows, RATE)[3:4], hand_crafted(windows[3:4], RATE), rtol=1e-9)


def test_the_linear_classifier_takes_one_class_and_constant_features() -> None:
    features = np.zeros((4, 2), np.float32)
    assert classify_linearly(features, np.full(4, 3), features).tolist() == [3] * 4
    features[2:, 0] = 1
    assert classify_linearly(features, np.array([0, 0, 2, 2]), features).tolist() == [0, 0, 2, 2]


@pytest.mark.parametrize(
    ("method", "at_least"),
    [
        (HandCraftedForest(trees=60), 0.70),
        (HandCraftedLinear(), 0.70),
        (RowLogistic(SpectrogramSpec.preset("motion")), 0.65),
        (MiniRocket(features=2000), 0.55),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_methods_recognise_exercises_of_strangers(
    method: Method, at_least: float, few: tuple[Windows, Windows]
) -> None:
    train, test = few
    method.prepare(RATE)
    named = method.predict(train, test, RATE, 7, seed=0)
    assert named.shape == test.labels.shape
    assert named.dtype == np.int64
    assert np.mean(named == test.labels) > at_least
    np.testing.assert_array_equal(
        method.predict(train, test.take(np.arange(40)), RATE, 7, seed=0), named[:40]
    )

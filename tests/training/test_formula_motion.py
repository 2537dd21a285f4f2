from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from img2imu_training.corpora.formula_motion import FormulaMotion, MotionOptions
from img2imu_training.corpora.kinematics import readings
from img2imu_training.corpora.movement import (
    BURST,
    KINDS,
    SEQUENCE,
    STEADY,
    STILL,
    TRANSIENT,
    Movements,
    draw_movements,
    rotations,
)
from img2imu_training.corpora.performance import Spread, draw_performances
from img2imu_training.corpora.pictures import PicturePlan
from img2imu_training.corpora.tracks import bursts, phase, step
from img2imu_training.windows import pictures, window_samples

from img2imu_edge.samples import STANDARD_GRAVITY
from img2imu_edge.spec import SpectrogramSpec

FINE = 1000.0
"""Hz: fine enough to differentiate and integrate numerically."""


def smooth_movements(rng: np.random.Generator, n: int) -> Movements:
    """Movements of the kinds whose courses are smooth: swings, bursts, changes of posture and of movement."""
    weights = np.zeros(len(KINDS))
    weights[[STEADY, BURST, TRANSIENT, SEQUENCE]] = 0.25
    return draw_movements(rng, n, 50.0, weights)


def without_pushes(movements: Movements) -> Movements:
    """The same turns, with the sensor on the joint and nothing that pushes it."""
    parts = [
        replace(part, push=0 * part.push, impact=0 * part.impact, noise_push=0 * part.noise_push)
        for part in (movements.first, movements.second)
    ]
    zero = 0 * movements.lever
    return replace(movements, first=parts[0], second=parts[1], lever=zero, reach=zero)


def felt(movements: Movements, seed: int) -> np.ndarray:
    how = draw_performances(np.random.default_rng(seed), movements, 2.0, Spread())
    one = how.take(np.arange(0, 2 * len(movements.kind), 2))
    noise = np.random.default_rng(seed + 1)
    return readings(movements, one, 2000, FINE, 6, noise).astype(np.float64)


def test_gravity_turns_as_the_gyroscope_says() -> None:
    turning = without_pushes(smooth_movements(np.random.default_rng(1), 60))
    made = felt(turning, 5)
    up, rate = made[:, :3], made[:, 3:]
    np.testing.assert_allclose(np.linalg.norm(up, axis=1), STANDARD_GRAVITY, rtol=1e-4)
    middle = slice(2, -2)
    slope = np.gradient(up, 1 / FINE, axis=2)[..., middle]
    expected = np.cross(up, rate, axis=1)[..., middle]
    scale = np.abs(expected).max(axis=(1, 2)) + 1.0
    assert (np.abs(slope - expected).max(axis=(1, 2)) / scale).max() < 0.02
    assert np.abs(expected).max() > 20  # they do turn


def test_a_lever_adds_the_acceleration_of_the_point_it_holds() -> None:
    rng = np.random.default_rng(2)
    movements = without_pushes(smooth_movements(rng, 40))
    movements = replace(movements, mounting=np.tile(np.eye(3, dtype=np.float32), (40, 1, 1)))
    lever = (0.4 * rng.standard_normal((40, 3))).astype(np.float32)
    straight = felt(movements, 7)
    levered = felt(replace(movements, lever=lever), 7)
    how = draw_performances(np.random.default_rng(7), movements, 2.0, Spread())
    arm = np.einsum("nij,nj->ni", how.mounting[::2].astype(np.float64), lever)
    # Integrate the gyroscope to an attitude, carry the point along, differentiate its position twice.
    attitude = np.tile(np.eye(3), (40, 1, 1))
    path, attitudes = [], []
    middle_rates = (straight[:, 3:, :-1] + straight[:, 3:, 1:]) / 2 / FINE
    for k in range(1999):
        path.append(np.einsum("nij,nj->ni", attitude, arm))
        attitudes.append(attitude)
        attitude = attitude @ _turn(middle_rates[:, :, k])
    world = np.gradient(np.gradient(np.array(path), 1 / FINE, axis=0), 1 / FINE, axis=0)
    expected = np.einsum("tnij,tni->njt", np.array(attitudes), world)
    added = (levered - straight)[:, :3, :1999]
    part = slice(5, -5)
    scale = np.abs(added).max(axis=(1, 2)) + 0.5
    error = np.abs(added - expected)[..., part].max(axis=(1, 2)) / scale
    assert np.median(error) < 0.02
    assert error.max() < 0.1
    assert np.abs(added).max() > 5


def _turn(vectors: np.ndarray) -> np.ndarray:
    """Rotation matrices by small vectors (n, 3), to the second order."""
    x, y, z = vectors.T
    zero = 0 * x
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=1).reshape(-1, 3, 3)
    return np.eye(3) + cross + cross @ cross / 2


@settings(max_examples=25, deadline=None)
@given(st.floats(0.2, 3.0), st.floats(0.0, 6.0), st.floats(0, 6.2), st.floats(0, 0.12), st.floats(0.3, 2.0))
def test_tracks_know_their_derivatives(
    frequency: float, sharpness: float, start: float, share: float, lasting: float
) -> None:
    time = np.arange(0, 2, 1 / 2000)
    column = [np.array([[value]]) for value in (frequency, sharpness, start, lasting)]
    cadence = phase(time, 2 * np.pi * column[0], np.array([[share, 1.3]]), np.array([[start, 0.4]]))
    envelope = bursts(time, column[0], column[1], column[2])
    for track in (step(time, column[2] / 6, column[3]), envelope, cadence, envelope.by(cadence)):
        for of, by in ((track.value, track.rate), (track.rate, track.change)):
            numeric = np.gradient(of[0], 1 / 2000)[2:-2]
            wanted = np.broadcast_to(by, of.shape)[0][2:-2]
            tolerance = 0.02 * (np.abs(wanted).max() + 1)
            if track.change is by and by.shape == track.value.shape:
                jumps = np.abs(np.diff(wanted)).max()  # a minimum-jerk step has a jerk that jumps at its ends
                tolerance += jumps
            np.testing.assert_allclose(numeric, wanted, atol=tolerance)


def test_mountings_are_rotations_and_have_no_favourite() -> None:
    turned = rotations(np.random.default_rng(0), 4000)
    np.testing.assert_allclose(
        turned @ turned.transpose(0, 2, 1), np.tile(np.eye(3), (4000, 1, 1)), atol=1e-5
    )
    np.testing.assert_allclose(np.linalg.det(turned), 1, atol=1e-5)
    assert np.abs(turned.mean(axis=0)).max() < 0.04  # 0 ± 0.009
    np.testing.assert_allclose(np.square(turned).mean(axis=0), 1 / 3, atol=0.025)
    angles = np.arccos((np.trace(turned, axis1=1, axis2=2).clip(-1, 3) - 1) / 2)
    assert angles.mean() == pytest.approx(np.pi / 2 + 2 / np.pi, abs=0.05)  # of the uniform distribution


@pytest.mark.parametrize(
    ("axes", "preset", "rate"), [(3, "motion", 50.0), (6, "motion", 50.0), (3, "paper", 64.0)]
)
def test_pictures_are_those_of_the_runtime(axes: int, preset: str, rate: float) -> None:
    motion = FormulaMotion(MotionOptions(batch=40, axes=axes, preset=preset, rate=rate))
    samples, _ = motion.windows(3)
    shown = motion.batch(3).numpy()
    flat = samples.reshape(-1, *samples.shape[2:])
    exact = pictures(flat, PicturePlan(SpectrogramSpec.preset(preset), rate, axes)) * 255
    assert samples.shape == (40, 2, window_samples(motion.plan, 32), axes)
    assert shown.dtype == np.uint8
    assert np.abs(shown.reshape(exact.shape) - exact).max() <= 1
    assert shown.std() > 20


def test_steps_repeat_and_differ() -> None:
    options = MotionOptions(batch=8)
    first = FormulaMotion(options, seed=3).batch(11)
    assert first.equal(FormulaMotion(options, seed=3).batch(11))
    for other in (
        FormulaMotion(options, seed=3).batch(12),
        FormulaMotion(options, seed=4).batch(11),
        FormulaMotion(options, seed=3, rank=1).batch(11),
    ):
        assert not first.equal(other)


def test_factors_say_what_the_windows_show() -> None:
    steady = MotionOptions(batch=200, kinds={"steady": 1.0}, columns=32)
    samples, factors = FormulaMotion(steady, seed=1).windows(0)
    assert (factors.kind == STEADY).all()
    moving = samples - samples.mean(axis=2, keepdims=True)
    loud = factors.amplitude > np.log(0.5)
    clipped = np.abs(samples).max(axis=2) > 19
    measured = np.log(moving.std(axis=2) + 1e-6)
    use = loud & ~clipped
    assert use.sum() > 200
    assert np.abs(measured - factors.amplitude)[use].max() < 0.15
    np.testing.assert_allclose(np.linalg.norm(factors.posture, axis=2), 1, rtol=1e-5)
    np.testing.assert_array_less(np.abs(np.diff(factors.frequency, axis=1)), np.log2(1.1 / 0.9) + 1e-3)
    # The spectrum of a steady cycle stands on multiples of its fundamental.
    fundamental = np.exp2(factors.frequency[..., None])
    spectrum = np.square(
        np.abs(np.fft.rfft(moving * np.hanning(moving.shape[2])[:, None], 2048, axis=2))
    ).sum(3)
    at = np.fft.rfftfreq(2048, 1 / 50)
    harmonic = at / fundamental
    near = np.abs(harmonic - np.maximum(np.rint(harmonic), 1)) < 0.2
    share = (spectrum * near).sum(2) / spectrum.sum(2)
    assert np.median(share[fundamental[..., 0] > 1]) > 0.8  # slower ones have neighbours within a window


def test_kinds_look_like_their_names() -> None:
    samples, factors = FormulaMotion(MotionOptions(batch=400), seed=2).windows(0)
    assert set(np.unique(factors.kind)) == set(range(len(KINDS)))
    motion = np.exp(factors.amplitude).max(axis=(1, 2))
    assert np.median(motion[factors.kind == STILL]) < 0.5
    assert np.median(motion[factors.kind == STEADY]) > 1.0
    turned = [
        np.degrees(np.arccos(np.clip((_start(w) * _end(w)).sum(1), -1, 1)))
        for w in samples[np.isin(factors.kind, (TRANSIENT,))]
    ]
    still = [
        np.degrees(np.arccos(np.clip((_start(w) * _end(w)).sum(1), -1, 1)))
        for w in samples[factors.kind == STILL]
    ]
    assert np.median(turned) > 15
    assert np.median(still) < 5
    assert (
        np.isfinite(factors.change).all(axis=1).tolist()
        == np.isin(factors.kind, (TRANSIENT, SEQUENCE)).tolist()
    )


def _start(window: np.ndarray) -> np.ndarray:
    mean = window[:, :25].mean(axis=1)
    return mean / np.linalg.norm(mean, axis=1, keepdims=True)


def _end(window: np.ndarray) -> np.ndarray:
    mean = window[:, -25:].mean(axis=1)
    return mean / np.linalg.norm(mean, axis=1, keepdims=True)


def test_two_performances_are_more_alike_than_two_movements() -> None:
    shown = FormulaMotion(MotionOptions(batch=300), seed=5).batch(0).float().mean(dim=4).flatten(2)
    apart = (shown[:, :1] - shown[:, 1][None]).norm(dim=2)
    nearest = apart.argmin(dim=1)
    assert (nearest == np.arange(300)).float().mean() > 0.4  # chance is 0.003


@settings(max_examples=12, deadline=None)
@given(
    rate=st.sampled_from([30.0, 31.25, 50.0, 100.0]), axes=st.sampled_from([3, 6]), seed=st.integers(0, 1000)
)
def test_people_and_sensors_have_limits(rate: float, axes: int, seed: int) -> None:
    motion = FormulaMotion(MotionOptions(batch=32, rate=rate, axes=axes, columns=16), seed=seed)
    samples, factors = motion.windows(0)
    assert samples.dtype == np.float32
    assert np.isfinite(samples).all()
    assert np.abs(samples[..., :3]).max() <= 16 * STANDARD_GRAVITY * 1.001
    assert np.abs(samples[..., 3:]).max(initial=0) <= np.radians(2000) * 1.001
    assert (factors.amplitude >= np.log(0.99e-3)).all()


def test_options_are_checked() -> None:
    with pytest.raises(ValueError, match=r"'jump'.*still, steady"):
        MotionOptions(kinds={"jump": 1.0})
    with pytest.raises(ValueError, match="not be negative"):
        MotionOptions(kinds={"still": 0.0})
    with pytest.raises(ValueError, match="3 or 6"):
        MotionOptions(axes=4)

from __future__ import annotations

import numpy as np
from img2imu_training.augment import Augmentation, mask, mirror, rotate, rotations, scale, stretch, vary

RNG = np.random.default_rng(0)
WINDOWS = RNG.normal(size=(8, 250, 6)).astype(np.float32) * 3 + np.array([0, 9.8, 0, 0, 0, 0], np.float32)


def test_a_turned_sensor_sees_vectors_of_the_same_length() -> None:
    axes = np.eye(3)[[0, 1, 2, 0, 1, 2, 0, 1]]
    turns = rotations(axes, RNG.uniform(-3, 3, 8))
    np.testing.assert_allclose(turns @ turns.transpose(0, 2, 1), np.tile(np.eye(3), (8, 1, 1)), atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(turns), 1)
    turned = rotate(WINDOWS, turns)
    for sensor in (slice(0, 3), slice(3, 6)):
        before, after = WINDOWS[..., sensor], turned[..., sensor]
        np.testing.assert_allclose(
            np.linalg.norm(before, axis=2), np.linalg.norm(after, axis=2), rtol=1e-4, atol=1e-4
        )
    np.testing.assert_allclose(turned[0, :, 0], WINDOWS[0, :, 0], rtol=1e-6)  # about x, x stays


def test_a_quarter_turn_about_z_takes_x_to_y() -> None:
    (turn,) = rotations(np.array([[0.0, 0.0, 1.0]]), np.array([np.pi / 2]))
    np.testing.assert_allclose(turn @ [1, 0, 0], [0, 1, 0], atol=1e-12)


def test_the_other_arm_of_the_other_arm_is_the_arm() -> None:
    np.testing.assert_array_equal(mirror(mirror(WINDOWS)), WINDOWS)
    np.testing.assert_array_equal(mirror(WINDOWS)[..., [1, 2, 3]], WINDOWS[..., [1, 2, 3]])
    np.testing.assert_array_equal(mirror(WINDOWS)[..., [0, 4, 5]], -WINDOWS[..., [0, 4, 5]])


def test_a_larger_motion_keeps_gravity() -> None:
    larger = scale(WINDOWS, np.full(8, 2.0))
    np.testing.assert_allclose(larger[..., :3].mean(axis=1), WINDOWS[..., :3].mean(axis=1), atol=1e-3)
    np.testing.assert_allclose(larger[..., :3].std(axis=1), 2 * WINDOWS[..., :3].std(axis=1), rtol=1e-4)
    np.testing.assert_allclose(larger[..., 3:], 2 * WINDOWS[..., 3:], rtol=1e-6)


def test_a_brisker_motion_has_a_higher_frequency() -> None:
    t = np.arange(500) / 50
    slow = np.tile(np.sin(2 * np.pi * 2.0 * t)[None, :, None], (1, 1, 3)).astype(np.float32)
    brisk = stretch(slow, np.array([1.25]))[0, 60:440, 0]
    spectrum = np.abs(np.fft.rfft(brisk * np.hanning(len(brisk))))
    assert abs(np.fft.rfftfreq(len(brisk), 1 / 50)[spectrum.argmax()] - 2.5) < 0.15


def test_masks_grey_a_run_of_rows_and_columns_and_nothing_else() -> None:
    pictures = RNG.random((50, 3, 64, 32)).astype(np.float32)
    masked = mask(pictures, 0.2, np.random.default_rng(1))
    hidden = masked != pictures
    np.testing.assert_array_equal(masked[hidden], 0.5)
    assert 0.02 < hidden.mean() < 0.4
    rows = hidden.all(axis=(1, 3)).sum(axis=1)
    assert rows.max() <= 13


def test_variation_is_repeatable_and_off_means_off() -> None:
    strong = Augmentation(rotate_deg=10, mirror=0.5, scale=0.1, stretch=0.1, noise=0.1)
    first, second = (vary(WINDOWS, strong, np.random.default_rng(7)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert np.abs(first - WINDOWS).max() > 0.1
    np.testing.assert_array_equal(vary(WINDOWS, Augmentation(), np.random.default_rng(7)), WINDOWS)

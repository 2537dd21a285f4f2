"""Variations that a worn sensor makes by itself, applied to samples before they become pictures.

Images are varied by crops and colours; motion is varied by how the strap sits, on which arm, how briskly
someone moves and how the sensor is scaled. Each function takes windows (n, samples, axes): the three axes of
the accelerometer first, then, for six, the gyroscope's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from img2imu_training.windows import Pictures, Samples


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How strong each variation is; 0 turns it off.

    Attributes:
        rotate_deg: Standard deviation of the strap's turn about a random axis, degrees.
        mirror: Probability that a window is shown as the other arm would have recorded it.
        scale: Standard deviation of the logarithm of a factor on the motion (gravity stays).
        stretch: Standard deviation of the logarithm of a factor on the speed of the motion.
        noise: Standard deviation of white noise: m/s² on the accelerometer, a tenth of it in rad/s.
        mask: Longest masked run of rows and of columns, as a share of the picture.
    """

    rotate_deg: float = 0.0
    mirror: float = 0.0
    scale: float = 0.0
    stretch: float = 0.0
    noise: float = 0.0
    mask: float = 0.0


def vary(samples: Samples, how: Augmentation, rng: Generator) -> Samples:
    """Windows with all variations of the samples, each window drawn on its own."""
    n = len(samples)
    if how.mirror:
        other = rng.random(n) < how.mirror
        samples = np.where(other[:, None, None], mirror(samples), samples)
    if how.stretch:
        samples = stretch(samples, np.exp(how.stretch * rng.standard_normal(n)))
    if how.scale:
        samples = scale(samples, np.exp(how.scale * rng.standard_normal(n)))
    if how.rotate_deg:
        axes = rng.standard_normal((n, 3))
        axes /= np.linalg.norm(axes, axis=1, keepdims=True)
        angles = np.radians(how.rotate_deg) * rng.standard_normal(n)
        samples = rotate(samples, rotations(axes, angles))
    if how.noise:
        level = np.where(np.arange(samples.shape[2]) < 3, 1.0, 0.1) * how.noise
        samples = samples + (rng.standard_normal(samples.shape) * level).astype(np.float32)
    return samples


def rotations(axes: NDArray[np.float64], angles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rotation matrices (n, 3, 3) about unit axes (n, 3) by angles (n,) in rad (Rodrigues' formula)."""
    x, y, z = axes.T
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=1).reshape(-1, 3, 3)
    sine, cosine = np.sin(angles)[:, None, None], np.cos(angles)[:, None, None]
    turned: NDArray[np.float64] = np.eye(3) + sine * cross + (1 - cosine) * (cross @ cross)
    return turned


def rotate(samples: Samples, turns: NDArray[np.float64]) -> Samples:
    """Each window as a sensor that sits turned by `turns` (n, 3, 3) would have recorded it."""
    sensors = samples.reshape(*samples.shape[:2], -1, 3)
    turned = np.einsum("nij,ntsj->ntsi", turns, sensors)
    same: Samples = turned.reshape(samples.shape).astype(np.float32)
    return same


def mirror(samples: Samples) -> Samples:
    """Each window as the same motion of the other arm.

    A watch is worn face out on either wrist; its x axis points to the hand on one and to the elbow on the
    other. The mirror image of a motion, seen by a sensor so turned, has the other sign of x. Angular rate is
    an axial vector: a mirror that changes the sign of x keeps the rate about x and changes the other two.
    """
    signs = np.array([-1, 1, 1, 1, -1, -1], np.float32)
    mirrored: Samples = samples * signs[: samples.shape[2]]
    return mirrored


def scale(samples: Samples, factors: NDArray[np.float64]) -> Samples:
    """Each window's motion made larger by a factor (n,), gravity unchanged.

    Gravity is taken to be the accelerometer's mean over the window; rates are scaled whole.
    """
    steady = samples.mean(axis=1, keepdims=True)
    steady[..., 3:] = 0.0
    scaled: Samples = (steady + (samples - steady) * factors[:, None, None]).astype(np.float32)
    return scaled


def stretch(samples: Samples, factors: NDArray[np.float64]) -> Samples:
    """Each window played faster by a factor (n,), around its middle; the ends are held where it runs out.

    Rates grow by the factor, since the same angle is turned in less time. (Linear acceleration would by its
    square, but it cannot be told from gravity sample by sample, so it is left.)
    """
    length = samples.shape[1]
    middle = (length - 1) / 2
    at = np.clip(middle + (np.arange(length) - middle) * factors[:, None], 0, length - 1)
    left = np.minimum(at.astype(np.int64), length - 2)
    part = (at - left)[..., None]
    which = np.arange(len(samples))[:, None]
    played = samples[which, left] * (1 - part) + samples[which, left + 1] * part
    played[..., 3:] *= factors[:, None, None]
    stretched: Samples = played.astype(np.float32)
    return stretched


def mask(pictures: Pictures, share: float, rng: Generator) -> Pictures:
    """Pictures with one run of rows and one of columns greyed (Park et al., SpecAugment, 2019).

    Args:
        pictures: (n, 3, rows, columns).
        share: Longest run, as a share of the rows or columns; lengths are drawn evenly from 0 to it.
        rng: Source of randomness.
    """
    masked = pictures.copy()
    for axis in (2, 3):
        size = pictures.shape[axis]
        lengths = rng.integers(0, int(size * share) + 1, len(pictures))
        starts = rng.integers(0, size - lengths + 1)
        at = np.arange(size)
        hidden = (at >= starts[:, None]) & (at < (starts + lengths)[:, None])
        shape = [len(pictures), 1, 1, 1]
        shape[axis] = size
        np.copyto(masked, np.float32(0.5), where=hidden.reshape(shape))
    return masked

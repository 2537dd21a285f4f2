"""What real sensors add to what they feel: noise, bias, a range that ends, and steps."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from img2imu_edge.samples import STANDARD_GRAVITY
from img2imu_training.corpora.movement import Floats, log_uniform, normals, single

_RANGES_G = (2, 4, 8, 16)
_RANGES_DEG = (500, 1000, 2000)
_RESOLUTIONS = (10, 12, 16)


def record(felt: Floats, rng: Generator) -> Floats:
    """What an imperfect sensor reports; each window pair has a sensor of one range.

    Noise and bias are those of consumer parts: 0.01 to 0.1 m/s² and 0.001 to 0.02 rad/s of white noise, a
    bias of 0.1 m/s² and 0.01 rad/s (standard deviations); ranges of ±2 to ±16 g and ±500 to ±2000 °/s.

    Args:
        felt: (2 n, 3 or 6, samples) m/s² and rad/s, windows `2 i` and `2 i + 1` by one device.
        rng: Source of randomness.

    Returns:
        (2 n, 3 or 6, samples).
    """
    windows, axes, _ = felt.shape
    pairs = windows // 2
    ends = STANDARD_GRAVITY * rng.choice(_RANGES_G, (pairs, 1), p=(0.05, 0.15, 0.4, 0.4))
    noise = log_uniform(rng, 0.01, 0.1, windows)[:, None]
    if axes == 6:
        ends = np.concatenate([ends, np.radians(rng.choice(_RANGES_DEG, (pairs, 1)))], axis=1)
        noise = np.concatenate([noise, log_uniform(rng, 0.001, 0.02, windows)[:, None]], axis=1)
    limit = single(np.repeat(np.repeat(ends, 2, axis=0), 3, axis=1))[:, :, None]
    bits = np.repeat(rng.choice(_RESOLUTIONS, pairs), 2)
    size = limit * single(2.0 ** (1 - bits))[:, None, None]
    bias = normals(rng, windows, axes, 1) * single([0.1] * 3 + [0.01] * (axes - 3))[:, None]
    reported = normals(rng, *felt.shape)
    reported *= single(np.repeat(noise, 3, axis=1))[:, :, None]
    reported += felt
    reported += bias
    reported /= size
    np.rint(reported, out=reported)
    reported *= size
    return np.clip(reported, -limit, limit, out=reported)

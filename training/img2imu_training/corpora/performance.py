"""How a movement is performed this time: where in the cycle, how fast, how briskly, how the strap sits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from img2imu_training.augment import rotations as turns
from img2imu_training.corpora.movement import Floats, Movements, Rows, normals, single, unit


@dataclass(frozen=True, slots=True)
class Spread:
    """How much two performances of one movement differ.

    Attributes:
        tempo: Largest change of the speed, as a share.
        vigour: Largest change of the amplitude, as a share.
        mounting_deg: Standard deviation of the turn of the strap about a random axis, degrees.
        moment: Largest change of when something happens, as a share of the window.
    """

    tempo: float = 0.1
    vigour: float = 0.2
    mounting_deg: float = 15.0
    moment: float = 0.15


@dataclass(frozen=True, slots=True)
class Performances(Rows):
    """n performances.

    Attributes:
        tempo: (n,) factor on every frequency.
        vigour: (n,) factor on every angle and, with the tempo's square, on every acceleration.
        phases: (n, 2, 3) rad, of each component: its cycle, the drift of its cadence, its bursts.
        moment: (n,) middle of the change of posture or of movement, s from the window's start.
        mounting: (n, 3, 3) from the limb's frame to the sensor's.
    """

    tempo: Floats
    vigour: Floats
    phases: Floats
    moment: Floats
    mounting: Floats


def draw_performances(rng: Generator, movements: Movements, seconds: float, how: Spread) -> Performances:
    """Draw two performances of each movement, for a window of so many seconds.

    Returns:
        2 n performances: those of movement `i` are `2 i` and `2 i + 1`.
    """
    n = len(movements.kind)
    moment = np.repeat(rng.uniform(0.3, 0.7, n), 2) + how.moment * rng.uniform(-1, 1, 2 * n)
    angles = np.radians(how.mounting_deg) * rng.standard_normal(2 * n)
    turned = single(turns(unit(normals(rng, 2 * n, 3)).astype(np.float64), angles))
    return Performances(
        tempo=single(1 + how.tempo * rng.uniform(-1, 1, 2 * n)),
        vigour=single(1 + how.vigour * rng.uniform(-1, 1, 2 * n)),
        phases=single(rng.uniform(0, 2 * np.pi, (2 * n, 2, 3))),
        moment=single(seconds * moment),
        mounting=turned @ np.repeat(movements.mounting, 2, axis=0),
    )

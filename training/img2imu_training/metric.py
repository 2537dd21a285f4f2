"""A metric of motion: which differences between two windows mean nothing.

Two performances of one movement differ in phase, tempo, vigour, mounting and noise. Over many formula-made
pairs these differences have a covariance; where it is large, a difference between windows says little about
what was done. Dividing it out makes distance mean the same in every direction, before a single label is seen.
This is the within-class whitening of linear discriminant analysis and WCCN (Hatch, Kajarekar and Stolcke,
"Within-class covariance normalization for SVM-based speaker recognition", Interspeech 2006), with movements
made by formula in the place of classes. It has a closed form and takes seconds, so that it is fitted anew for
every picture, rate and set of axes instead of being stored.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular

from img2imu_edge.spectrogram import SpectrogramPlan
from img2imu_training.corpora.formula_motion import FormulaMotion, MotionOptions
from img2imu_training.windows import Pictures

Features = NDArray[np.float32]

_BATCH = 256


@dataclass(frozen=True, slots=True)
class Metric:
    """Features to a space where every direction varies by one between performances of one movement.

    Attributes:
        mean: (features,) float64 that is taken off first.
        matrix: (features, features) float64 that the rest is multiplied with from the right.
    """

    mean: NDArray[np.float64]
    matrix: NDArray[np.float64]

    def apply(self, features: Features) -> Features:
        """Features (n, features) in the metric's space."""
        moved: Features = (features - self.mean.astype(np.float32)) @ self.matrix.astype(np.float32)
        return moved


def formula_pairs(plan: SpectrogramPlan, columns: int, pairs: int, seed: int) -> tuple[Pictures, Pictures]:
    """Pictures of two performances each of formula-made movements.

    Args:
        plan: The spectrogram at a rate.
        columns: Columns of a picture.
        pairs: How many; rounded up to whole batches.
        seed: Of all randomness.

    Returns:
        Twice (pairs, 3, sensors × rows, columns) from 0 to 1.
    """
    options = MotionOptions(_BATCH, plan.rate, columns, plan.axes)
    motion = FormulaMotion(options, seed, spec=plan.spec)
    made = np.concatenate([motion.batch(step).numpy() for step in range(-(-pairs // _BATCH))])
    shown = made.astype(np.float32) / np.float32(255)
    return shown[:, 0], shown[:, 1]


def fit_metric(first: Features, second: Features, shrinkage: float) -> Metric:
    """The metric of pairs.

    Args:
        first: (pairs, features) of one performance.
        second: The same movements' other performances.
        shrinkage: Weight of the mean variance, which keeps directions that hardly vary from being blown up
            (Ledoit and Wolf, 2004).
    """
    both = np.concatenate([first, second]).astype(np.float64)
    mean, spread = both.mean(axis=0), both.std(axis=0) + 1e-4
    difference = (first - second) / spread
    within = difference.T @ difference / (2 * len(difference))
    within[np.diag_indices_from(within)] += shrinkage * np.trace(within) / len(within)
    # Any M with M Mᵀ = within⁻¹ gives the same distances; Cholesky's costs least.
    lower = cholesky(within, lower=True)
    inverse = solve_triangular(lower, np.diag(1 / spread), lower=True)
    return Metric(mean, np.ascontiguousarray(inverse.T))

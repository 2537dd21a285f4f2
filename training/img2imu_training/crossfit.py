"""Calibration judged fairly: fitted on the other held-out groups, judged on this one, each in turn.

Temperature and threshold are fitted on held-out people. Judged on the same people, they would look better
than they are on anyone else: the share of false alarms, for one, would be met to the window by construction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from img2imu_training.calibrate import (
    Labels,
    Logits,
    expected_calibration_error,
    fit_temperature,
    fit_threshold,
)
from img2imu_training.evaluate import Fold


@dataclass(frozen=True, slots=True)
class CrossFit:
    """Every held-out group under a temperature and a threshold that it had no part in.

    Attributes:
        logits: (windows, classes) of all groups, one after the other, divided by the temperature.
        labels: (windows,) their classes.
        thresholds: (groups,) distance above which a group's windows are unknown.
        false_alarms: (groups,) share of a group's windows, all of known classes, that are called unknown.
        false_alarm: The same share of all windows together.
    """

    logits: Logits
    labels: Labels
    thresholds: NDArray[np.float64]
    false_alarms: NDArray[np.float64]
    false_alarm: float

    @property
    def calibration_error(self) -> float:
        """Expected calibration error."""
        return expected_calibration_error(self.logits, self.labels, 1.0)


def cross_fit(folds: Sequence[Fold], false_alarm: float) -> CrossFit:
    """Judge temperature and threshold on groups that they were not fitted on.

    Args:
        folds: Two or more held-out groups.
        false_alarm: Share of known windows that may be called unknown.

    Raises:
        ValueError: If there is one group only, so that there is no other to fit on.
    """
    if len(folds) < 2:
        raise ValueError("one held-out group alone has no other to fit a calibration on")
    logits, thresholds = [], []
    for number, fold in enumerate(folds):
        others = [other for at, other in enumerate(folds) if at != number]
        pooled = np.concatenate([other.logits for other in others])
        truth = np.concatenate([other.windows.labels for other in others])
        logits.append((fold.logits / fit_temperature(pooled, truth)).astype(np.float32))
        thresholds.append(fit_threshold(np.concatenate([other.distances for other in others]), false_alarm))
    beyond = [fold.distances > limit for fold, limit in zip(folds, thresholds, strict=True)]
    return CrossFit(
        logits=np.concatenate(logits),
        labels=np.concatenate([fold.windows.labels for fold in folds]),
        thresholds=np.array(thresholds),
        false_alarms=np.array([np.mean(share) for share in beyond]),
        false_alarm=float(np.mean(np.concatenate(beyond))),
    )

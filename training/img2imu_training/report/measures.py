"""From labels and logits to the numbers of a report."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.metrics import confusion_matrix

from img2imu_training.calibrate import expected_calibration_error
from img2imu_training.report.contents import Example, Floats, Reliability

Labels = NDArray[np.int64]
Logits = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class PerClass:
    """Scores of each class; all (classes,), 0 where a share of nothing is asked for.

    Attributes:
        precision: Share that is right of what was said to be the class.
        recall: Share of the class that was found.
        f1: Their harmonic mean.
        support: Windows of the class.
    """

    precision: Floats
    recall: Floats
    f1: Floats
    support: NDArray[np.int64]


def confusion(labels: Labels, predicted: Labels, classes: int) -> NDArray[np.int64]:
    """Count (classes, classes) how often each class (row) was called what (column)."""
    counts: NDArray[np.int64] = confusion_matrix(labels, predicted, labels=range(classes))
    return counts


def per_class(counts: NDArray[np.int64]) -> PerClass:
    """Scores of each class from a confusion matrix (rows: truth, columns: said)."""
    right = np.diag(counts).astype(np.float64)
    said, support = counts.sum(axis=0), counts.sum(axis=1)
    return PerClass(
        precision=right / np.maximum(said, 1),
        recall=right / np.maximum(support, 1),
        f1=2 * right / np.maximum(said + support, 1),
        support=support,
    )


def reliability(logits: Logits, labels: Labels, temperature: float = 1.0, bins: int = 15) -> Reliability:
    """Confidence against accuracy (Guo et al., "On Calibration of Modern Neural Networks", 2017).

    Args:
        logits: (n, classes), of windows that the network was not trained on.
        labels: (n,).
        temperature: What the logits are divided by.
        bins: Even bins of confidence from 0 to 1.
    """
    confidence = softmax(logits.astype(np.float64) / temperature, axis=1).max(axis=1)
    right = (logits.argmax(axis=1) == labels).astype(np.float64)
    place = np.minimum((confidence * bins).astype(np.int64), bins - 1)
    count = np.bincount(place, minlength=bins)
    filled = np.where(count > 0, count, np.nan)
    return Reliability(
        confidence=np.bincount(place, confidence, bins) / filled,
        accuracy=np.bincount(place, right, bins) / filled,
        count=count,
        temperature=temperature,
        error=expected_calibration_error(logits, labels, temperature, bins),
    )


def choose_examples(
    pictures: NDArray[np.float32],
    labels: Labels,
    logits: Logits,
    temperature: float = 1.0,
    subjects: NDArray[np.str_] | None = None,
    each: int = 4,
) -> tuple[Example, ...]:
    """Pick windows to show: of each class the typical ones and the worst mistakes.

    Half of a class are its mistakes that the network was surest of, of different people where it can be; the
    rest were recognised and lie evenly over the range of confidence, the surest first.

    Args:
        pictures: (n, 3, rows, columns).
        labels: (n,).
        logits: (n, classes).
        temperature: What the logits are divided by.
        subjects: (n,) who wore the sensor, to be shown.
        each: Windows of each class.

    Returns:
        At most `each` examples of each class, in the order of the classes.
    """
    scores = softmax(logits.astype(np.float64) / temperature, axis=1)
    said, sure = scores.argmax(axis=1), scores.max(axis=1)
    chosen: list[int] = []
    for label in range(logits.shape[1]):
        mine = np.flatnonzero(labels == label)
        mine = mine[np.argsort(-sure[mine], kind="stable")]
        right, wrong = mine[said[mine] == label], mine[said[mine] != label]
        if subjects is not None:  # neighbouring windows of one person look the same
            _, first = np.unique(subjects[wrong], return_index=True)
            wrong = np.concatenate([wrong[np.sort(first)], np.delete(wrong, first)])
        mistakes = min(len(wrong), max(each // 2, each - len(right)))
        spread = np.linspace(0, len(right) - 1, min(each - mistakes, len(right))).round().astype(np.int64)
        chosen += [*right[spread].tolist(), *wrong[:mistakes].tolist()]
    return tuple(
        Example(
            picture=pictures[i],
            truth=int(labels[i]),
            said=int(said[i]),
            confidence=float(sure[i]),
            subject="" if subjects is None else str(subjects[i]),
        )
        for i in chosen
    )

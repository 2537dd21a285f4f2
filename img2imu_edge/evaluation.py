"""How well decisions match a recording's labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from img2imu_edge.decision import Decision
from img2imu_edge.recording import UNLABELLED, Recording


def window_labels(recording: Recording, decisions: Sequence[Decision], window_s: float) -> list[str]:
    """The label that holds for most of each decision's window.

    Args:
        recording: With labels.
        decisions: Made from it.
        window_s: Length of a window in seconds, ending at the decision's time.

    Returns:
        One label a decision; `""` where most of the window is unlabelled.
    """
    if recording.labels is None:
        raise ValueError(f"recording {recording.name!r} has no labels")
    half = 0.5 / recording.rate
    names, codes = np.unique(recording.labels, return_inverse=True)
    ends = np.searchsorted(recording.times, [d.time + half for d in decisions])
    starts = np.searchsorted(recording.times, [d.time - window_s + half for d in decisions])
    truth = []
    for start, end in zip(starts, ends, strict=True):
        counts = np.bincount(codes[start:end], minlength=len(names))
        truth.append(str(names[counts.argmax()]) if counts.any() else UNLABELLED)
    return truth


def answered(
    recording: Recording, decisions: Sequence[Decision], window_s: float
) -> tuple[list[str], list[str]]:
    """Truth and prediction of every decision that is an answer (`unknown` included) on a labelled window."""
    answers = [d for d in decisions if d.label is not None]
    truth = window_labels(recording, answers, window_s)
    pairs = [(t, str(d.label)) for t, d in zip(truth, answers, strict=True) if t != UNLABELLED]
    return [t for t, _ in pairs], [p for _, p in pairs]


def macro_f1(truth: Sequence[str], predicted: Sequence[str]) -> float:
    """Mean over the true classes of F1 = 2TP / (2TP + FP + FN); NaN without any window.

    An answer that is none of the true classes, such as `unknown`, counts as a miss.
    """
    scores = []
    for label in sorted(set(truth)):
        hits = sum(t == p == label for t, p in zip(truth, predicted, strict=True))
        scores.append(2 * hits / (list(truth).count(label) + list(predicted).count(label)))
    return float(np.mean(scores)) if scores else float("nan")

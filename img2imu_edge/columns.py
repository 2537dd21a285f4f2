"""Decisions as rows of a table: the same names live and offline, in CSV and in Parquet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from img2imu_edge.decision import Decision

FIELDS: Final = ("time", "label", "confidence", "coverage", "status", "novelty")
"""What a decision has, whatever the model; a cell is empty where there is no answer."""


def score_columns(labels: Sequence[str]) -> tuple[str, ...]:
    """Names of the columns with the probability of each class, in the model's order.

    Args:
        labels: The model's classes.
    """
    return tuple(f"score_{label}" for label in labels)


def score_cells(decision: Decision, labels: Sequence[str]) -> tuple[float | None, ...]:
    """The probability of each class, in the order of `labels`; None where the network was not asked."""
    return tuple(decision.scores.get(label) for label in labels)

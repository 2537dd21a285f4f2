"""What goes into a report: numbers and names, nothing about their looks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from img2imu_training.checks import Notice

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PictureAxes:
    """What the rows and columns of a spectrogram picture stand for.

    Attributes:
        frequencies: (frequencies,) Hz, ascending.
        level_rows: Rows below them that show the sensor's steady value.
        frame_s: Seconds behind one column.
        hop_s: Seconds from one column to the next.
    """

    frequencies: Floats
    level_rows: int
    frame_s: float
    hop_s: float

    @property
    def rows(self) -> int:
        """Rows of one sensor."""
        return self.level_rows + len(self.frequencies)


@dataclass(frozen=True, slots=True)
class Example:
    """One window and what was said of it.

    Attributes:
        picture: (3, rows, columns) from 0 to 1, lowest frequency first.
        truth: Its class.
        said: The class with the highest score.
        confidence: Of what was said, 0 to 1.
        subject: Who wore the sensor; empty if it shall not be shown.
    """

    picture: NDArray[np.float32]
    truth: int
    said: int
    confidence: float
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Reliability:
    """How often the network was right, by how sure it was, over even bins of confidence.

    Attributes:
        confidence: (bins,) mean confidence in each; NaN where it is empty.
        accuracy: (bins,) share that was right; NaN where it is empty.
        count: (bins,) windows in each.
        temperature: What the logits were divided by.
        error: Expected calibration error, 0 to 1.
    """

    confidence: Floats
    accuracy: Floats
    count: NDArray[np.int64]
    temperature: float
    error: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """Confidence on held-out people.

    Attributes:
        after: With the fitted temperature.
        before: With temperature 1, for comparison.
    """

    after: Reliability
    before: Reliability | None = None


@dataclass(frozen=True, slots=True)
class Rejection:
    """What becomes "unknown".

    Attributes:
        groups: For each held-out group the distances (windows,) of its windows, all of known classes.
        threshold: Distances above it are "unknown".
        thresholds: (groups,) the same for each group, fitted on the others; false alarms are counted by
            them. None stands for the one threshold.
        unknown: (windows,) distances of something that should be rejected, if there was any.

    Raises:
        ValueError: If there is no group, one is empty, or the threshold is infinite.
    """

    groups: tuple[Floats, ...]
    threshold: float
    unknown: Floats | None = None
    thresholds: Floats | None = None

    def __post_init__(self) -> None:
        if not self.groups or not all(len(group) for group in self.groups):
            raise ValueError("every held-out group needs distances")
        if not np.isfinite(self.threshold):
            raise ValueError("a threshold that rejects nothing cannot be shown; leave rejection out")

    @property
    def known(self) -> Floats:
        """Distances of all held-out windows."""
        return np.concatenate(self.groups)

    @property
    def false_alarms(self) -> Floats:
        """(groups,) share of known windows called unknown."""
        return np.array([np.mean(beyond) for beyond in self._beyond])

    @property
    def false_alarm(self) -> float:
        """Share of all known windows called unknown."""
        return float(np.mean(np.concatenate(self._beyond)))

    @property
    def _beyond(self) -> list[NDArray[np.bool_]]:
        each = np.full(len(self.groups), self.threshold) if self.thresholds is None else self.thresholds
        return [group > limit for group, limit in zip(self.groups, each, strict=True)]


@dataclass(frozen=True, slots=True)
class Budget:
    """Score against labelled windows per class.

    Attributes:
        labels: (points,) labelled windows of each class, ascending.
        scores: (points, runs) macro-F1 on held-out people.
        by_class: (points, classes) mean F1 of each class, if known.
    """

    labels: NDArray[np.int64]
    scores: Floats
    by_class: Floats | None = None


@dataclass(frozen=True, slots=True)
class TrainingCurve:
    """The course of training.

    Attributes:
        steps: (n,) ascending.
        loss: (n,) on the training batches.
        checks: (m,) steps at which validation was done; empty if never.
        validation_loss: (m,) or None.
        validation_score: (m,) macro-F1 or None.
        chosen: The step whose weights were kept; None if it was the last by plan.
    """

    steps: NDArray[np.int64]
    loss: Floats
    checks: NDArray[np.int64]
    validation_loss: Floats | None = None
    validation_score: Floats | None = None
    chosen: int | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """Everything in a report. Parts that are None or empty are left out of the page.

    Attributes:
        title: What the model recognises, or the run's name.
        facts: Name and value of what a reader wants to know first: base weights, recordings, people, windows.
        classes: Names in the order of the logits.
        confusion: (classes, classes) windows of held-out groups; rows are the truth, columns what was said.
        scores: (groups,) macro-F1 of each held-out group.
        group_names: Name of each group; such as the people in it.
        group: What a group is made of: `people` or `sessions`.
        notices: About the data.
        examples: Windows to show.
        axes: Of their pictures; needed where there are examples.
        calibration: Confidence.
        rejection: The unknown.
        budget: Whether more labels would help.
        training: The course of training.
        date: Of the run.

    Raises:
        ValueError: If the shapes do not fit together.
    """

    title: str
    facts: tuple[tuple[str, str], ...]
    classes: tuple[str, ...]
    confusion: NDArray[np.int64]
    scores: Floats
    group_names: tuple[str, ...]
    group: str = "people"
    notices: tuple[Notice, ...] = ()
    examples: tuple[Example, ...] = ()
    axes: PictureAxes | None = None
    calibration: Calibration | None = None
    rejection: Rejection | None = None
    budget: Budget | None = None
    training: TrainingCurve | None = None
    date: str | None = None

    def __post_init__(self) -> None:
        n = len(self.classes)
        if n < 2 or self.confusion.shape != (n, n):
            raise ValueError(f"{n} classes do not fit a confusion matrix of shape {self.confusion.shape}")
        if not len(self.scores) or len(self.scores) != len(self.group_names):
            raise ValueError(f"{len(self.scores)} scores do not fit {len(self.group_names)} groups")
        if self.examples and self.axes is None:
            raise ValueError("examples need the axes of their pictures")

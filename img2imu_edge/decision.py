"""Decisions: from a network's output to a label that people can rely on."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from img2imu_edge.card import DecisionSpec

UNKNOWN = "unknown"
"""The label of a window unlike anything the model was trained on."""

Status = Literal["ok", "unknown", "gap", "warming_up"]

_OPTIONAL = ("novelty", "latency_ms")


@dataclass(frozen=True, slots=True)
class Decision:
    """What the model says about one window.

    Attributes:
        time: Device time in seconds of the window's last sample.
        label: The class; `unknown` for a window unlike the training data; None while there is no answer.
        confidence: Calibrated probability of the label; 0 for `unknown` and None.
        coverage: Share of the window's samples that were really received, 0 to 1.
        status: `ok`; `unknown`: rejected; `gap`: too few samples of the window were received;
            `warming_up`: the window is not full yet.
        scores: Probability of each class, smoothed over time; empty where the network was not asked.
        novelty: Distance from the training data; above the model's threshold it is `unknown`.
        latency_ms: Live only: from the arrival of the window's last sample to the decision.
    """

    time: float
    label: str | None
    confidence: float
    coverage: float
    status: Status
    scores: dict[str, float] = field(default_factory=dict)
    novelty: float | None = None
    latency_ms: float | None = field(default=None, compare=False)

    def as_dict(self) -> dict[str, object]:
        """The decision as plain data, for JSON; what is not known is left out."""
        told: dict[str, object] = {name: getattr(self, name) for name in Decision.__slots__}
        told["scores"] = dict(self.scores)  # a tenth of the work of `asdict`, which each output would ask for
        return {key: value for key, value in told.items() if value is not None or key not in _OPTIONAL}


class DecisionMaker:
    """Calibration, rejection, smoothing and hysteresis for one wearable.

    Args:
        spec: The model's thresholds.
        labels: Class names in the order of the logits.
    """

    def __init__(self, spec: DecisionSpec, labels: tuple[str, ...]) -> None:
        self._spec, self._labels = spec, labels
        self._smoothed: list[float] | None = None
        self._current: int | None = None
        if spec.novelty:
            self._centroids = np.array(spec.novelty.centroids)
            # The spread, and the mean over the embedding that `Novelty` takes of squares.
            self._scale = 1.0 / (np.array(spec.novelty.spread) * math.sqrt(self._centroids.shape[1]))

    def decide(
        self, time: float, coverage: float, logits: NDArray[np.float32], embedding: NDArray[np.float32]
    ) -> Decision:
        """Turn one window's output into a decision.

        Args:
            time: Device time of the window's last sample in seconds.
            coverage: Share of the window's samples that are real.
            logits: (classes,).
            embedding: (embedding,).
        """
        # For a handful of classes plain floats are several times as fast as arrays.
        probabilities = softmax(logits, self._spec.temperature)
        novelty = self.novelty(embedding)
        if self._spec.novelty and novelty is not None and novelty > self._spec.novelty.threshold:
            # An alien window says nothing about the known classes: the running mean stays as it was.
            scores = dict(zip(self._labels, probabilities, strict=True))
            return Decision(time, UNKNOWN, 0.0, coverage, "unknown", scores, novelty)
        if self._smoothed is not None:
            keep = self._spec.smoothing
            pairs = zip(self._smoothed, probabilities, strict=True)
            probabilities = [keep * past + (1 - keep) * now for past, now in pairs]
        self._smoothed = probabilities
        best = probabilities.index(max(probabilities))
        current = self._current
        if current is None or probabilities[best] - probabilities[current] >= self._spec.margin:
            self._current = current = best
        scores = dict(zip(self._labels, probabilities, strict=True))
        label = self._labels[current]
        return Decision(time, label, probabilities[current], coverage, "ok", scores, novelty)

    def novelty(self, embedding: NDArray[np.float32]) -> float | None:
        """Distance to the nearest class as `Novelty` defines it; None for a model that has no centroids."""
        if self._spec.novelty is None:
            return None
        offsets = (embedding - self._centroids) * self._scale
        return math.sqrt(np.einsum("ij,ij->i", offsets, offsets).min())

    def reset(self) -> None:
        """Forget the past, as after a gap longer than a window."""
        self._smoothed = self._current = None


def softmax(logits: NDArray[np.floating], temperature: float = 1.0) -> list[float]:
    """Probabilities of a vector of logits, which are divided by the temperature first."""
    values: list[float] = logits.tolist()
    top = max(values)
    shifted = [math.exp((value - top) / temperature) for value in values]
    total = sum(shifted)
    return [value / total for value in shifted]

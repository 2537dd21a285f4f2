"""Honest confidence and rejection of the unknown, fitted on people whom the network never saw."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

from img2imu_edge.card import Novelty

Logits = NDArray[np.float32]
Embeddings = NDArray[np.float32]
Labels = NDArray[np.int64]


def negative_log_likelihood(logits: Logits, labels: Labels, temperature: float = 1.0) -> float:
    """Mean of −log p(label), in nats, of logits (n, classes) divided by the temperature."""
    scaled = logits.astype(np.float64) / temperature
    return float(np.mean(logsumexp(scaled, axis=1) - scaled[np.arange(len(labels)), labels]))


def fit_temperature(logits: Logits, labels: Labels) -> float:
    """The temperature of highest likelihood (Guo et al., "On Calibration of Modern Neural Networks", 2017).

    Args:
        logits: (n, classes), of windows that the network was not trained on.
        labels: (n,).
    """
    found = minimize_scalar(
        lambda t: negative_log_likelihood(logits, labels, float(np.exp(t))),
        bounds=(-3.0, 3.0),
        method="bounded",
    )
    return float(np.exp(found.x))


def expected_calibration_error(logits: Logits, labels: Labels, temperature: float, bins: int = 15) -> float:
    """Mean gap between confidence and accuracy, weighted over even bins of confidence (Guo et al., 2017)."""
    scaled = logits.astype(np.float64) / temperature
    confidence = np.exp(scaled.max(axis=1) - logsumexp(scaled, axis=1))
    right = logits.argmax(axis=1) == labels
    place = np.minimum((confidence * bins).astype(np.int64), bins - 1)
    gaps = [abs(float(np.sum(right[place == b]) - np.sum(confidence[place == b]))) for b in range(bins)]
    return sum(gaps) / len(labels)


def fit_classes(embeddings: Embeddings, labels: Labels, classes: int) -> Novelty:
    """Where the classes lie in the embedding: their centroids and the spread within them.

    Args:
        embeddings: (n, embedding) of the training windows.
        labels: (n,).
        classes: How many there are.

    Returns:
        A rejection that rejects nothing yet: its threshold is infinite.
    """
    wide = embeddings.astype(np.float64)
    centroids = np.stack([wide[labels == label].mean(axis=0) for label in range(classes)])
    spread = np.sqrt(np.mean((wide - centroids[labels]) ** 2, axis=0))
    return Novelty(
        centroids=tuple(tuple(map(float, row)) for row in centroids),
        spread=tuple(map(float, np.maximum(spread, 1e-6))),
        threshold=float("inf"),
        false_alarm=0.0,
    )


def distances(embeddings: Embeddings, novelty: Novelty) -> NDArray[np.float64]:
    """Distance (n,) of each window: least over the classes of the RMS of (embedding − centroid) / spread."""
    centroids, spread = np.array(novelty.centroids), np.array(novelty.spread)
    scaled = (embeddings[:, None, :] - centroids) / spread
    nearest: NDArray[np.float64] = np.sqrt(np.mean(scaled**2, axis=2)).min(axis=1)
    return nearest


def fit_threshold(known: NDArray[np.float64], false_alarm: float) -> float:
    """The distance that this share of known windows, of people never seen, lies above.

    Args:
        known: (n,) their distances.
        false_alarm: The share, between 0 and 1.
    """
    return float(np.quantile(known, 1.0 - false_alarm))

"""Occlusion: hide one part after the other, and see how much less sure the network is.

Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks", 2014; here by axis, band and time.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from img2imu_edge.engines import Array
from img2imu_edge.model import Model
from img2imu_edge.why.explanation import Explanation
from img2imu_edge.why.parts import TIMES, parts_of

MOST_IMPORTANT = 0.1
"""Share of the parts that are hidden together, to see whether they are what matters."""

_AT_ONCE = 16
"""Windows in one run of the network, so that decisions which are due meanwhile do not wait."""


def explain(model: Model, seen: Array, label: str | None = None) -> Explanation:
    """Which part of a window speaks for a label.

    Every part, an axis' band of frequencies in a fifth of the window, is hidden once: 480 runs of the network
    for the shipped model, and two more.

    Args:
        model: The model, of either form.
        seen: What its network takes, as in `Window.seen`: (3, rows, columns), or (samples, axes).
        label: For which class; for the one that the network finds likeliest, if None.

    Raises:
        ValueError: If the window has another shape, or the model has no such label.
        ModelError: If the engine fails.
    """
    labels = model.card.labels
    if label is not None and label not in labels:
        raise ValueError(f"the model has no label {label!r}; it has {', '.join(labels)}")
    parts = parts_of(model, seen)
    logits = model.engine.run(seen).logits
    top = int(logits.argmax())
    at = top if label is None else labels.index(label)
    temperature = model.card.decision.temperature
    odds = float(_log_odds(logits[None] / temperature, at)[0])
    shape = (len(parts.picture), len(parts.bands), TIMES)
    effects = np.empty(int(np.prod(shape)))
    for start in range(0, len(effects), _AT_ONCE):
        hidden = np.arange(start, min(start + _AT_ONCE, len(effects)))[:, None] == np.arange(len(effects))
        changed = model.engine.run_many(parts.hide(hidden.reshape(-1, *shape))).logits
        effects[start : start + _AT_ONCE] = odds - _log_odds(changed / temperature, at)
    most = np.zeros(len(effects), np.bool_)
    most[np.argsort(-effects, kind="stable")[: round(MOST_IMPORTANT * len(effects))]] = True
    without = model.engine.run(parts.hide(most.reshape(1, *shape))[0]).logits
    return Explanation(
        label=labels[at],
        probability=_probability(odds),
        likeliest=labels[top],
        likeliest_probability=_probability(float(_log_odds(logits[None] / temperature, top)[0])),
        without=_probability(float(_log_odds(without[None] / temperature, at)[0])),
        effects=effects.reshape(shape).astype(np.float32),
        picture=parts.picture,
        channels=model.card.input.channels,
        bands=parts.bands,
        row_bands=parts.row_bands,
        column_times=parts.column_times,
        seconds=model.window_samples / model.card.input.rate,
    )


def _log_odds(logits: NDArray[np.floating], at: int) -> NDArray[np.float64]:
    """Logarithm of p / (1 − p) for one class: unlike p it still tells more from less near 0 and 1."""
    others = np.delete(logits.astype(np.float64), at, axis=1)
    top = others.max(axis=1, keepdims=True)
    together = top[:, 0] + np.log(np.exp(others - top).sum(axis=1))
    odds: NDArray[np.float64] = logits[:, at] - together
    return odds


def _probability(log_odds: float) -> float:
    return float(0.5 + 0.5 * np.tanh(0.5 * log_odds))

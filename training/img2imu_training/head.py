"""The head in closed form: an embedding and class scores from a few labelled windows, the backbone frozen.

The features of windows and of varied copies of them are put into the metric's space; the principal axes of
what is there become the embedding, and a logistic regression on it the scores. A quarter of the embedding are
the principal axes of formula-made motion in what is left: the scores leave them alone, but a movement unlike
all that was trained on shows there, which is what its rejection needs. With few labels this is better than
gradient descent on the whole network, takes a second, and is where that starts when there are many.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.utils.extmath import randomized_svd

from img2imu_training.metric import Features, Metric
from img2imu_training.network import Network
from img2imu_training.windows import Pictures


@dataclass(frozen=True, slots=True)
class HeadOptions:
    """How the head is fitted.

    Attributes:
        copies: Varied copies of each window, fewer where `most` does not allow as many.
        most: Largest number of windows and copies together; of more windows, some are drawn.
        pairs: Formula-made pairs that the metric is fitted on.
        shrinkage: Of the metric; see `fit_metric`.
        inverse_penalty: scikit-learn's `C` of the logistic regression.
    """

    copies: int = 8
    most: int = 12_000
    pairs: int = 6144
    shrinkage: float = 0.1
    inverse_penalty: float = 0.002


@torch.inference_mode()
def features(net: Network, shown: Pictures) -> Features:
    """Features (n, features) of pictures (n, 3, rows, columns) from 0 to 1."""
    net.eval()
    parts = [net.features(torch.from_numpy(shown[at : at + 256])) for at in range(0, len(shown), 256)]
    return torch.cat(parts).numpy()


@torch.inference_mode()
def scores(net: Network, seen: Features) -> NDArray[np.float32]:
    """Logits (n, classes) of features (n, features): what `forward` gives for the pictures behind them."""
    logits: NDArray[np.float32] = net.classify(net.project(torch.from_numpy(seen))).numpy()
    return logits


def fit_head(
    net: Network,
    metric: Metric,
    seen: Features,
    labels: NDArray[np.int64],
    strangers: Features,
    inverse_penalty: float,
) -> None:
    """Set a network's `project` and `classify`.

    Args:
        net: The network; it is changed. Its embedding must not be wider than the data have axes.
        metric: Of the network's features.
        seen: (n, features) of the training windows and their copies.
        labels: (n,) their classes, each there at least once.
        strangers: (m, features) of formula-made motion, in the metric's space; with none, their part of the
            embedding is 0 and the scores are the same.
        inverse_penalty: scikit-learn's `C`; classes are weighted evenly.
    """
    moved = metric.apply(seen)
    middle, size = moved.mean(axis=0, dtype=np.float64), float(moved.std(dtype=np.float64))
    centred = (moved - middle.astype(np.float32)) / np.float32(size)
    others = net.architecture.embedding // 4
    axes = principal_axes(centred, net.architecture.embedding - others)
    embedded = centred @ axes
    regression = LogisticRegression(C=inverse_penalty, max_iter=1000, class_weight="balanced")
    regression.fit(embedded, labels)
    weights, bias = regression.coef_, regression.intercept_
    if len(weights) == 1:  # two classes have one score: the second's over the first's
        weights, bias = np.concatenate([-weights, weights]) / 2, np.concatenate([-bias, bias]) / 2
    if others:
        strange = np.zeros((len(axes), others))
        if len(strangers):
            apart = (strangers - middle.astype(np.float32)) / np.float32(size)
            strange = principal_axes(apart - apart @ axes @ axes.T, others)
        axes = np.concatenate([axes, strange], axis=1)
        weights = np.pad(weights, ((0, 0), (0, others)))
    project = metric.matrix @ axes / size
    with torch.no_grad():
        for layer, matrix, offset in (
            (net.project, project.T, -(metric.mean @ metric.matrix + middle) / size @ axes),
            (net.classify, weights, bias),
        ):
            layer.weight.copy_(torch.from_numpy(np.ascontiguousarray(matrix)))
            layer.bias.copy_(torch.from_numpy(offset))


def principal_axes(centred: Features, count: int) -> NDArray[np.float64]:
    """The axes (features, count) along which data (n, features) vary most."""
    _, _, axes = randomized_svd(centred, count, n_iter=4, random_state=0)
    found: NDArray[np.float64] = axes.T.astype(np.float64)
    return found

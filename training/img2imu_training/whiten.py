"""Whitening: an embedding in which distance means the same in every direction."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from img2imu_training.network import Network

SHRINKAGE = 0.05
"""Weight of the mean variance, which keeps noise in the least directions from being blown up."""


def whiten(net: Network, embeddings: NDArray[np.float32], labels: NDArray[np.int64]) -> None:
    """Make the within-class covariance of a network's embedding the identity; its logits stay as they are.

    The embedding is a linear layer between two others, so that a change of its basis folds into both:
    project' = A project, classify' = classify A⁻¹. A distance in units of the spread then is the Mahalanobis
    distance with one covariance for all classes (Lee et al., 2018, arXiv 1807.03888), at no cost at run time.

    Args:
        net: The network; it is changed.
        embeddings: (n, embedding) of its training windows.
        labels: (n,) their classes.
    """
    wide = embeddings.astype(np.float64)
    centroids = np.stack([wide[labels == label].mean(axis=0) for label in range(labels.max() + 1)])
    within = wide - centroids[labels]
    raw = within.T @ within / len(within)
    shrunk = SHRINKAGE * np.trace(raw) / len(raw) * np.eye(len(raw))
    variance, axes = np.linalg.eigh((1 - SHRINKAGE) * raw + shrunk)
    forward = torch.from_numpy(axes / np.sqrt(variance) @ axes.T)
    backward = torch.from_numpy(axes * np.sqrt(variance) @ axes.T)
    with torch.no_grad():
        project, classify = net.project, net.classify
        project.weight.copy_(forward @ project.weight.double())
        project.bias.copy_(forward @ project.bias.double())
        classify.weight.copy_(classify.weight.double() @ backward)

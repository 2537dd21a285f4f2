"""VICReg: views agree, features vary, features differ (Bardes et al., ICLR 2022, arXiv 2105.04906)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from img2imu_training.pretrain.objectives.parts import Encoder, exact, gather, projector


@dataclass(frozen=True, slots=True)
class VicregOptions:
    """Options of VICReg; the weights are the paper's, the projection is smaller (the paper's is 3 × 8192).

    Attributes:
        invariance: Weight of the distance between views.
        variance: Weight of the hinge on each feature's deviation.
        covariance: Weight of the features' covariances.
        hidden: Width of the projection's hidden layers.
        width: Width of the projection.
    """

    invariance: float = 25.0
    variance: float = 25.0
    covariance: float = 1.0
    hidden: int = 1024
    width: int = 1024

    def __post_init__(self) -> None:
        if min(self.invariance, self.variance) <= 0 or self.covariance < 0:
            raise ValueError("the weights of invariance and variance must be positive, covariance at least 0")


class Vicreg(nn.Module):
    """Variance-invariance-covariance regularisation: no negatives, no momentum encoder, no queue.

    Args:
        encoder: Pictures to features (n, encoder.width).
        options: Sizes and weights.

    Example:
        >>> from img2imu_training.backbones import build_backbone
        >>> encoder = Encoder(build_backbone("tiny"), rows=32, pooling="rows")
        >>> vicreg = Vicreg(encoder, VicregOptions(width=64))
        >>> vicreg(torch.rand(8, 3, 32, 32), torch.rand(8, 3, 32, 32)).shape
        torch.Size([])
    """

    def __init__(self, encoder: Encoder, options: VicregOptions) -> None:
        super().__init__()
        self.options, self.encoder = options, encoder
        self.project = projector(encoder.width, options.hidden, options.width, layers=3, norm=True)

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """The loss of two views (n, 3, rows, columns)."""
        a, b = self.project(self.encoder(torch.cat([first, second]))).float().chunk(2)
        invariance = functional.mse_loss(a, b)
        a, b = gather(a), gather(b)
        a, b = a - a.mean(dim=0), b - b.mean(dim=0)
        o = self.options
        with exact(first):
            return (
                o.invariance * invariance
                + o.variance * (shortfall(a) + shortfall(b)) / 2
                + o.covariance * (redundancy(a) + redundancy(b))
            )


def shortfall(features: Tensor) -> Tensor:
    """How far the deviations of centred features (n, width) fall short of 1, on average."""
    deviation = (features.square().sum(dim=0) / (len(features) - 1) + 1e-4).sqrt()
    return (1 - deviation).clamp_min(0).mean()


def redundancy(features: Tensor) -> Tensor:
    """Sum of the squared covariances between centred features (n, width), divided by the width."""
    covariance = features.T @ features / (len(features) - 1)
    return (covariance.square().sum() - torch.diagonal(covariance).square().sum()) / features.shape[1]

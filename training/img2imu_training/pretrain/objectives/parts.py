"""Parts that the objectives share: the encoder, projection heads, and what other processes made."""

from __future__ import annotations

from typing import Any, Literal

import torch
import torch.distributed
from torch import Tensor, nn

from img2imu_training.backbones import Backbone, row_features

Pooling = Literal["rows", "global"]
"""`rows`: the mean over time, all rows kept; `global`: the mean over time and rows, as for photographs."""


class Encoder(nn.Module):
    """A backbone and the pooling of its map.

    Args:
        backbone: Pictures to a map of features.
        rows: Rows of the pictures.
        pooling: What is kept.

    Attributes:
        width: Features of a picture.
    """

    def __init__(self, backbone: Backbone, rows: int, pooling: Pooling) -> None:
        super().__init__()
        self.backbone, self.pooling = backbone, pooling
        self.width = backbone.channels * (backbone.rows(rows) if pooling == "rows" else 1)

    def forward(self, pictures: Tensor) -> Tensor:
        """Pictures (n, 3, rows, columns) in 0 … 1 to features (n, width)."""
        features = self.backbone(pictures)
        return row_features(features) if self.pooling == "rows" else features.mean(dim=(2, 3))


def projector(inputs: int, hidden: int, outputs: int, layers: int = 2, norm: bool = False) -> nn.Sequential:
    """A multi-layer perceptron with ReLU; `norm` puts batch normalisation before each ReLU.

    Raises:
        ValueError: If a size is not positive.
    """
    if min(inputs, hidden, outputs, layers) < 1:
        raise ValueError("hidden, width and layers must be at least 1")
    parts: list[nn.Module] = []
    for _ in range(layers - 1):
        parts.append(nn.Linear(inputs, hidden, bias=not norm))
        parts += [nn.BatchNorm1d(hidden)] if norm else []
        parts.append(nn.ReLU())
        inputs = hidden
    return nn.Sequential(*parts, nn.Linear(inputs, outputs))


def exact(like: Tensor) -> torch.autocast:
    """Within it, mixed precision is off on the tensor's device: losses subtract what is nearly equal."""
    return torch.autocast(like.device.type, enabled=False)


def processes() -> tuple[int, int]:
    """(Number of this process, how many train together); (0, 1) outside distributed training."""
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return 0, 1
    return torch.distributed.get_rank(), torch.distributed.get_world_size()


def gather(features: Tensor) -> Tensor:
    """The features (n, width) of all processes, (processes × n, width) in their order.

    Gradients flow back to the process that made a feature. Each process sums what all of them send, and
    DistributedDataParallel then takes the mean over processes, so that a loss which is a mean over processes
    has the same gradients as on one process with the whole batch.
    """
    if processes()[1] == 1:
        return features
    every: Tensor = _Gather.apply(features)  # type: ignore[no-untyped-call]
    return every


class _Gather(torch.autograd.Function):
    """All-gather whose gradient is the sum over processes of what each sends back for this one's share.

    PyTorch's own differentiable all-gather has changed its name and place between the releases we support.
    """

    @staticmethod
    def forward(ctx: Any, features: Tensor) -> Tensor:
        parts = [torch.empty_like(features) for _ in range(processes()[1])]
        torch.distributed.all_gather(parts, features.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        rank, world = processes()
        total = gradient.contiguous().clone()
        torch.distributed.all_reduce(total)
        return total.chunk(world)[rank]

"""The network: a backbone and the picture's own statistics, an embedding, class scores.

The head pools over time and keeps the rows: global average pooling cannot tell 2 Hz from 3 Hz, for moving a
picture up leaves its mean as it was. Beside the backbone's features it sees what the picture itself says: a
linear model on simple statistics of the rows is hard to beat with few labels, and the network starts there.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from img2imu_training.backbones import BackboneName, build_backbone


@dataclass(frozen=True, slots=True)
class Pooling:
    """What the head sees of the backbone's map. Less makes a smaller model: most weights are the head's.

    Attributes:
        rows: Rows that are pooled into one.
        means: Whether it sees the mean over time beside the maximum.
    """

    rows: int = 1
    means: bool = True


WHOLE = Pooling()
"""All of it."""


@dataclass(frozen=True, slots=True)
class Architecture:
    """What it takes to build the network again.

    Attributes:
        backbone: Name of the backbone.
        classes: Number of classes.
        sensors: Spectrograms that stand on top of each other in a picture: accelerometer, gyroscope.
        rows: Rows of one spectrogram.
        levels: Of these, level rows, the lowest ones.
        columns: Columns of a picture.
        embedding: Length of the embedding.
        pooling: What the head sees of the backbone's map.
    """

    backbone: BackboneName
    classes: int
    sensors: int
    rows: int
    levels: int
    columns: int
    embedding: int = 96
    pooling: Pooling = WHOLE


class Statistics(nn.Module):
    """What the rows of a picture say without a network.

    Mean, mean absolute deviation, maximum and minimum over time of every row; of level rows, which keep their
    sign, also the slope: sitting down and standing up have the same powers, and only the order of what
    happens tells them apart.

    Args:
        sensors: Spectrograms in a picture.
        rows: Rows of one.
        levels: Of these, level rows.
        columns: Columns of a picture.
    """

    ramp: Tensor

    def __init__(self, sensors: int, rows: int, levels: int, columns: int) -> None:
        super().__init__()
        self.sensors, self.rows, self.levels = sensors, rows, levels
        self.width = 3 * sensors * (4 * rows + levels)
        ramp = torch.linspace(-1.0, 1.0, columns) if columns > 1 else torch.zeros(1)
        self.register_buffer("ramp", ramp / max(columns, 1), persistent=False)

    def forward(self, pictures: Tensor) -> Tensor:
        """Pictures (n, 3, sensors × rows, columns) in 0 … 1 to statistics (n, width)."""
        mean = pictures.mean(dim=3)
        centred = pictures - mean.unsqueeze(3)
        parts = [mean, centred.abs().mean(dim=3), pictures.amax(dim=3), pictures.amin(dim=3)]
        for first in range(0, self.sensors * self.rows, self.rows):
            parts.append((centred[:, :, first : first + self.levels] * self.ramp).sum(dim=3))
        return torch.cat([torch.flatten(part, 1) for part in parts], dim=1)


class Network(nn.Module):
    """Pictures to class scores and an embedding.

    Args:
        architecture: Its sizes.
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = a = architecture
        self.backbone = build_backbone(a.backbone)
        self.statistics = Statistics(a.sensors, a.rows, a.levels, a.columns)
        rows, left = divmod(self.backbone.rows(a.sensors * a.rows), a.pooling.rows)
        if left:
            raise ValueError(
                f"the backbone's rows cannot be pooled by {a.pooling.rows}: {left} would be left"
            )
        width = (1 + a.pooling.means) * self.backbone.channels * rows + self.statistics.width
        self.project = nn.Linear(width, a.embedding)
        self.classify = nn.Linear(a.embedding, a.classes)

    def features(self, pictures: Tensor) -> Tensor:
        """Pictures (n, 3, rows, columns) in 0 … 1 to what the embedding is a linear function of."""
        seen, pooling = self.backbone(pictures), self.architecture.pooling
        if pooling.rows == 1:
            mean, peak = seen.mean(dim=3), seen.amax(dim=3)
        else:
            window = (pooling.rows, seen.shape[3])
            mean, peak = functional.avg_pool2d(seen, window), functional.max_pool2d(seen, window)
        parts = [mean, peak] if pooling.means else [peak]
        return torch.cat([*(torch.flatten(part, 1) for part in parts), self.statistics(pictures)], dim=1)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Pictures (n, 3, rows, columns) in 0 … 1 to logits (n, classes) and embeddings (n, embedding)."""
        embedding = self.project(self.features(pictures))
        return self.classify(embedding), embedding

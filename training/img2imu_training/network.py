"""RowNet: a small convolutional network that pools over time only, and so still knows which row is which.

Global average pooling cannot tell 2 Hz from 3 Hz: moving a picture up leaves its mean as it was. Here the
head averages over columns and sees every row of every channel. Convolution, batch normalisation, ReLU, mean
and matrix product only, so that it quantises to int8 and exports to ONNX and LiteRT without a rewrite.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Architecture:
    """What it takes to build the network again.

    Attributes:
        classes: Number of classes.
        rows: Rows of a picture (sensors × rows of one spectrogram).
        columns: Columns of a picture.
        widths: Channels of each stage. The first halves the columns, the others rows and columns.
        squeeze: Channels left of the last stage for the head.
        embedding: Length of the embedding.
        dropout: Share of the head's inputs hidden in training.
    """

    classes: int
    rows: int
    columns: int
    widths: tuple[int, ...] = (24, 32, 48)
    squeeze: int = 16
    embedding: int = 48
    dropout: float = 0.2


def block(inputs: int, outputs: int, kernel: int, stride: tuple[int, int]) -> nn.Sequential:
    """Convolution, batch normalisation, ReLU: three that quantisation folds into one."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )


class RowNet(nn.Module):
    """Pictures to class scores and an embedding.

    Args:
        architecture: Its sizes.
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = a = architecture
        stages: list[nn.Module] = [block(3, a.widths[0], 3, (1, 2))]
        rows = a.rows
        for inputs, outputs in zip(a.widths, a.widths[1:], strict=False):
            stages.append(block(inputs, outputs, 3, (2, 2)))
            rows = (rows + 1) // 2
        stages.append(block(a.widths[-1], a.squeeze, 1, (1, 1)))
        self.features = nn.Sequential(*stages)
        self.dropout = nn.Dropout(a.dropout)
        self.project = nn.Linear(a.squeeze * rows + 3 * a.rows, a.embedding)
        self.classify = nn.Linear(a.embedding, a.classes)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Pictures (n, 3, rows, columns) in 0 … 1 to logits (n, classes) and embeddings (n, embedding).

        The picture's own mean over time joins the features: a linear model on the rows alone is hard to beat
        with few labels, and this way the network starts from there.
        """
        centred = 2 * pictures - 1
        over_time = [self.features(centred).mean(dim=3), centred.mean(dim=3)]
        rows = torch.cat([part.flatten(1) for part in over_time], dim=1)
        embedding = self.project(self.dropout(rows))
        return self.classify(embedding), embedding

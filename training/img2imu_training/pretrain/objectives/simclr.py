"""SimCLR: a picture's two views against all others of the batch (Chen et al., arXiv 2002.05709)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from img2imu_training.pretrain.objectives.parts import Encoder, exact, gather, processes, projector


@dataclass(frozen=True, slots=True)
class SimclrOptions:
    """Options of SimCLR.

    Attributes:
        temperature: Of the softmax.
        hidden: Width of the projection's hidden layer.
        width: Width of the projection.
    """

    temperature: float = 0.2
    hidden: int = 512
    width: int = 128

    def __post_init__(self) -> None:
        if not self.temperature > 0:
            raise ValueError("temperature must be positive")


class Simclr(nn.Module):
    """NT-Xent over the batches of all processes; the projection has batch normalisation.

    Args:
        encoder: Pictures to features (n, encoder.width).
        options: Sizes and constants.

    Example:
        >>> from img2imu_training.backbones import build_backbone
        >>> encoder = Encoder(build_backbone("tiny"), rows=32, pooling="rows")
        >>> simclr = Simclr(encoder, SimclrOptions())
        >>> simclr(torch.rand(8, 3, 32, 32), torch.rand(8, 3, 32, 32)).shape
        torch.Size([])
    """

    def __init__(self, encoder: Encoder, options: SimclrOptions) -> None:
        super().__init__()
        self.options, self.encoder = options, encoder
        self.project = projector(encoder.width, options.hidden, options.width, norm=True)

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """The loss of two views (n, 3, rows, columns)."""
        both = self.project(self.encoder(torch.cat([first, second]))).float()
        a, b = functional.normalize(both, dim=1).chunk(2)
        with exact(first):
            return nt_xent(a, b, self.options.temperature)


def nt_xent(first: Tensor, second: Tensor, temperature: float) -> Tensor:
    """Normalised temperature-scaled cross entropy of unit vectors.

    Args:
        first: (n, width) of this process.
        second: (n, width), the same pictures' other views.
        temperature: Of the softmax.

    Returns:
        The mean over this process's 2 n views, each against the views of all processes.
    """
    n, (rank, world) = len(first), processes()
    everyone = torch.cat([gather(first), gather(second)])
    mine = torch.arange(n, device=first.device) + rank * n
    own = torch.cat([mine, mine + world * n])
    partner = torch.cat([mine + world * n, mine])
    logits = torch.cat([first, second]) @ everyone.T / temperature
    myself = functional.one_hot(own, 2 * world * n).bool()
    return functional.cross_entropy(logits.masked_fill(myself, -torch.inf), partner)

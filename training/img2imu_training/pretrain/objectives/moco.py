"""MoCo v2: a picture's two views against a queue of other pictures (He et al. 2020; Chen et al. 2020)."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from img2imu_training.pretrain.objectives.parts import Encoder, exact, gather, projector


@dataclass(frozen=True, slots=True)
class MocoOptions:
    """Options of MoCo; the defaults are MoCo v2's but for the queue and momentum, which suit small corpora.

    Attributes:
        temperature: Of the softmax.
        momentum: Share of the key encoder that stays at each step (0.999 for ImageNet).
        queue: Keys that are kept (65,536 for ImageNet).
        hidden: Width of the projection's hidden layer.
        width: Width of the projection.
    """

    temperature: float = 0.2
    momentum: float = 0.99
    queue: int = 4096
    hidden: int = 512
    width: int = 128

    def __post_init__(self) -> None:
        if not self.temperature > 0:
            raise ValueError("temperature must be positive")
        if not 0 <= self.momentum < 1:
            raise ValueError("momentum must be at least 0 and below 1")
        if self.queue < 1:
            raise ValueError("queue must hold a key at least")


class Moco(nn.Module):
    """Momentum contrast (arXiv 1911.05722) with a projection of two layers (v2, arXiv 2003.04297).

    A query must find the key of its own picture's other view among the queue's keys of earlier pictures
    (InfoNCE). Keys come from a slow copy of the encoder. Queues of all processes are the same. Batch
    normalisation is over the whole batch (the paper's shuffling needs several devices).

    Args:
        encoder: Pictures to features (n, encoder.width).
        options: Sizes and constants.

    Example:
        >>> from img2imu_training.backbones import build_backbone
        >>> encoder = Encoder(build_backbone("tiny"), rows=32, pooling="rows")
        >>> moco = Moco(encoder, MocoOptions(queue=64))
        >>> moco(torch.rand(8, 3, 32, 32), torch.rand(8, 3, 32, 32)).shape
        torch.Size([])
    """

    queue: Tensor
    at: Tensor

    def __init__(self, encoder: Encoder, options: MocoOptions) -> None:
        super().__init__()
        self.options, self.encoder = options, encoder
        self.project = projector(encoder.width, options.hidden, options.width)
        self.key_encoder = copy.deepcopy(encoder).requires_grad_(False)
        self.key_project = copy.deepcopy(self.project).requires_grad_(False)
        self.register_buffer("queue", functional.normalize(torch.randn(options.queue, options.width), dim=1))
        self.register_buffer("at", torch.zeros((), dtype=torch.long))

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """The loss of two views (n, 3, rows, columns); the keys join the queue."""
        queries = functional.normalize(self.project(self.encoder(first)).float(), dim=1)
        with torch.no_grad():
            self._follow()
            keys = functional.normalize(self.key_project(self.key_encoder(second)).float(), dim=1)
        with exact(first):
            loss = info_nce(queries, keys, self.queue.clone(), self.options.temperature)
        with torch.no_grad():
            self._enqueue(gather(keys))
        return loss

    def _follow(self) -> None:
        """Move the key encoder a little towards the query encoder."""
        for slow, quick in ((self.key_encoder, self.encoder), (self.key_project, self.project)):
            pairs = zip(slow.parameters(), quick.parameters(), strict=True)
            mine, theirs = (list(each) for each in zip(*pairs, strict=True))
            torch._foreach_lerp_([p.data for p in mine], [p.data for p in theirs], 1 - self.options.momentum)

    def _enqueue(self, keys: Tensor) -> None:
        """Put keys (n, width) in the place of the oldest; of more than the queue holds, the last stay."""
        size = self.options.queue
        keys = keys[-size:]
        places = (self.at + torch.arange(len(keys), device=keys.device)).remainder(size)
        self.queue[places] = keys
        self.at.copy_((self.at + len(keys)).remainder(size))


def info_nce(queries: Tensor, keys: Tensor, queue: Tensor, temperature: float) -> Tensor:
    """InfoNCE (van den Oord et al., arXiv 1807.03748) of unit vectors.

    Args:
        queries: (n, width).
        keys: (n, width), the query's own.
        queue: (m, width), others.
        temperature: Of the softmax.
    """
    own = (queries * keys).sum(dim=1, keepdim=True)
    logits = torch.cat([own, queries @ queue.T], dim=1) / temperature
    return functional.cross_entropy(logits, torch.zeros(len(logits), dtype=torch.long, device=logits.device))

"""The network with named inputs and outputs, which become the names in a TFLite signature."""

from __future__ import annotations

from torch import Tensor, nn


class Named(nn.Module):
    """`picture` or `samples` to `logits` and `embedding`.

    Args:
        net: Gives the two as a tuple.
    """

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, *, picture: Tensor | None = None, samples: Tensor | None = None) -> dict[str, Tensor]:
        """What the network takes, by name, to logits (n, classes) and embedding (n, embedding), by name."""
        logits, embedding = self.net(picture if samples is None else samples)
        return {"logits": logits, "embedding": embedding}

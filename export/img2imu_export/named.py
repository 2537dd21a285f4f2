"""The network with named outputs, which become the names in a TFLite signature."""

from __future__ import annotations

from torch import Tensor, nn


class Named(nn.Module):
    """`picture` to `logits` and `embedding`.

    Args:
        net: Gives the two as a tuple.
    """

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, picture: Tensor) -> dict[str, Tensor]:
        """Pictures (n, 3, rows, columns) to logits (n, classes) and embedding (n, embedding), by name."""
        logits, embedding = self.net(picture)
        return {"logits": logits, "embedding": embedding}

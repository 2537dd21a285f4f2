"""Inference engines behind one protocol: ONNX Runtime and LiteRT."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


class Output(NamedTuple):
    """What a network says about one picture.

    Attributes:
        logits: (classes,).
        embedding: (embedding,), the features behind the logits.
    """

    logits: Array
    embedding: Array


class Engine(Protocol):
    """One loaded network, used by any number of sessions and threads.

    Attributes:
        name: The engine's name, for people.
        picture_shape: (3, rows, columns) that the network takes.
        classes: Number of logits.
        embedding_size: Length of the embedding.
    """

    name: str
    picture_shape: tuple[int, ...]
    classes: int
    embedding_size: int

    def run(self, picture: Array) -> Output:
        """Run the network on one picture, (3, rows, columns) float32, C-contiguous."""
        ...

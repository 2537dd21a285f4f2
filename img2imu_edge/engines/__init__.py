"""Inference engines behind one protocol: ONNX Runtime and LiteRT."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from img2imu_edge.card import Form

Array = NDArray[np.float32]


class Output(NamedTuple):
    """What a network says about one window.

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
        form: What the graph takes.
        input_shape: (3, rows, columns) of a picture, or (samples, axes).
        classes: Number of logits.
        embedding_size: Length of the embedding.
    """

    name: str
    form: Form
    input_shape: tuple[int, ...]
    classes: int
    embedding_size: int

    def run(self, window: Array) -> Output:
        """Run the network on one picture or one window of samples, `input_shape` float32, C-contiguous.

        Raises:
            ModelError: If the engine cannot run what it could load.
        """
        ...

    def run_many(self, windows: Array) -> Output:
        """Run it on several at once, (n, *input_shape): logits (n, classes) and embeddings (n, embedding).

        What comes out is what `run` gives for each.
        """
        ...

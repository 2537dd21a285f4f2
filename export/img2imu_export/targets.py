"""Targets: kinds of file that a trained network can become. A new one is a new module and one line here."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from img2imu_edge.card import ModelCard

if TYPE_CHECKING:
    from img2imu_training.network import Network

Pictures = NDArray[np.float32]
"""(pictures, 3, rows, columns) from 0 to 1, as the runtime makes them."""

FLOAT = "float32"
"""A card's `quantisation` where there is none."""


@dataclass(frozen=True)
class Trained:
    """What a target is made from.

    Attributes:
        net: The network, in eval mode.
        card: Its card.
        calibration: Real pictures of training subjects, which show a quantiser the range of every value.
    """

    net: Network
    card: ModelCard
    calibration: Pictures

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of one picture: (3, rows, columns)."""
        return cast("tuple[int, int, int]", self.calibration.shape[1:])


class Target(Protocol):
    """A kind of model file.

    Its network takes `picture` float32 (1, 3, rows, columns) and gives `logits` (1, classes) and `embedding`
    (1, embedding), float32, whatever happens inside.

    Attributes:
        suffix: What follows the model's name in the file's name, such as `-fp32.onnx`.
        exact: Whether its logits must equal the trained network's to within float32 rounding.
    """

    suffix: str
    exact: bool

    def export(self, trained: Trained) -> bytes:
        """The file, with the card inside.

        Raises:
            MissingExtraError: If a converter is not installed.
            ModelError: If the network cannot be converted.
        """
        ...


_TARGETS = {
    "onnx-fp32": "img2imu_export.onnx:OnnxFloat",
    "onnx-int8": "img2imu_export.quantise:OnnxInt8",
    "tflite-fp32": "img2imu_export.litert:LiteRtFloat",
    "tflite-int8": "img2imu_export.litert:LiteRtInt8",
}


def target_names() -> list[str]:
    """Names for `find_target`."""
    return list(_TARGETS)


def find_target(name: str) -> Target:
    """A target by its name. Only that target's converter is imported, when it exports.

    Raises:
        ValueError: If no target has that name.
    """
    if name not in _TARGETS:
        raise ValueError(f"no target is called {name!r}; there are: {', '.join(_TARGETS)}")
    module, attribute = _TARGETS[name].split(":")
    target: Target = getattr(import_module(module), attribute)()
    return target

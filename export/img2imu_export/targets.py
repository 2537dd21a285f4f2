"""Targets: kinds of file that a trained network can become. A new one is a new module and one line here."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from img2imu_edge.card import Form, ModelCard
from img2imu_edge.container import CARD, GOLDEN, Container, pack
from img2imu_edge.engines import Engine
from img2imu_edge.engines.litert import LiteRtEngine
from img2imu_edge.engines.onnx import OnnxEngine
from img2imu_edge.golden import Golden

if TYPE_CHECKING:
    from img2imu_training.network import Network

Samples = NDArray[np.float32]
"""(windows, samples, axes) in SI units at the card's rate, axes in the card's order."""

Pictures = NDArray[np.float32]
"""(windows, 3, rows, columns) from 0 to 1, as the runtime makes them."""

FLOAT = "float32"
"""A card's `quantisation` where there is none."""


@dataclass(frozen=True)
class Trained:
    """What a target is made from.

    Attributes:
        net: The network, in eval mode.
        card: Its card.
        samples: Real windows of people in training, which show a quantiser the range of every value.
        pictures: Their pictures.
    """

    net: Network
    card: ModelCard
    samples: Samples
    pictures: Pictures

    def shown(self, form: Form) -> NDArray[np.float32]:
        """The real windows in the form that a graph takes."""
        return self.pictures if form == "picture" else self.samples


@dataclass(frozen=True)
class Options:
    """Choices that hold for any target.

    Attributes:
        form: What the graph takes; from `samples` it draws its picture itself, always in float32.
        keep_float: Layers that stay in float32, by their names in the network, such as `backbone.stages.0`.
    """

    form: Form = "picture"
    keep_float: tuple[str, ...] = ()


@dataclass(frozen=True)
class Layer:
    """What quantisation did to one layer.

    Attributes:
        name: The layer's name in the network, such as `backbone.stages.0` or `project`.
        sqnr_db: Signal-to-quantisation-noise ratio of its output on real pictures, in dB.
    """

    name: str
    sqnr_db: float


@dataclass(frozen=True)
class Converted:
    """A network in another format.

    Attributes:
        graph: The file, without attachments.
        quantisation: For the card: `FLOAT`, or how the integers came about.
        layers: What quantisation did to each layer, in the graph's order; empty where that is not known.
    """

    graph: bytes
    quantisation: str = FLOAT
    layers: tuple[Layer, ...] = field(default=())


class Target(Protocol):
    """A kind of model file.

    Its graph takes `picture` (1, 3, rows, columns) or `samples` (1, samples, axes) and gives `logits` (1,
    classes) and `embedding` (1, embedding).

    Attributes:
        suffix: What follows the model's name in the file's name, such as `-fp32.onnx`.
        exact: Whether its logits must equal the trained network's to within float32 rounding.
    """

    suffix: str
    exact: bool

    def convert(self, trained: Trained, options: Options) -> Converted:
        """The network in this format.

        Raises:
            MissingExtraError: If a converter is not installed.
            ModelError: If the network cannot be converted, or the options cannot be had.
        """
        ...

    def engine(self, graph: bytes) -> Engine | None:
        """What runs such a graph on this machine; None where nothing does."""
        ...

    def files(self, name: str, graph: bytes, card: ModelCard, golden: Golden) -> dict[str, bytes]:
        """What to write: contents by path, relative to the directory of the export.

        Args:
            name: The model's name, without a suffix.
            graph: From `convert`.
            card: Complete: hashes, bounds, figures.
            golden: Real windows to prove the file by.
        """
        ...


@dataclass(frozen=True)
class OneFile:
    """Base of the targets whose file our runtime loads.

    Attributes:
        suffix: As in `Target`.
        exact: As in `Target`.
        kind: Format of the graph.
    """

    suffix: str
    exact: bool
    kind: Literal["onnx", "tflite"]

    def engine(self, graph: bytes) -> Engine | None:
        """The runtime's engine."""
        return LiteRtEngine(graph) if self.kind == "tflite" else OnnxEngine(graph)

    def files(self, name: str, graph: bytes, card: ModelCard, golden: Golden) -> dict[str, bytes]:
        """One file with card and golden vectors inside."""
        attachments = {CARD: card.to_json().encode("utf-8"), GOLDEN: golden.to_bytes()}
        return {f"{name}{self.suffix}": pack(Container(self.kind, graph, attachments))}


_TARGETS = {
    "onnx-fp32": "img2imu_export.onnx:OnnxFloat",
    "onnx-fp16": "img2imu_export.half:OnnxHalf",
    "onnx-int8": "img2imu_export.quantise:OnnxInt8",
    "tflite-fp32": "img2imu_export.litert:LiteRtFloat",
    "tflite-int8": "img2imu_export.litert:LiteRtInt8",
    "tflite-int8-io": "img2imu_export.litert:LiteRtInt8Edges",
    "tflite-dynamic": "img2imu_export.litert:LiteRtDynamic",
    "mcu": "img2imu_export.mcu:Mcu",
    "coreml": "img2imu_export.coreml:CoreMl",
    "executorch-fp32": "img2imu_export.executorch:ExecuTorchFloat",
    "executorch-int8": "img2imu_export.executorch:ExecuTorchInt8",
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

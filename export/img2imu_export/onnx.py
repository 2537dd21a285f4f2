"""Trained network to float ONNX: batch normalisation folded, nothing in it that inference does not need."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from img2imu_edge.card import Form
from img2imu_export.extras import need
from img2imu_export.targets import Converted, OneFile, Options, Trained

OPSET = 18
"""ONNX operator set: what the exporter writes without converting, and all supported runtimes read."""


@dataclass(frozen=True)
class OnnxFloat(OneFile):
    """float32 ONNX."""

    suffix: str = "-fp32.onnx"
    exact: bool = True
    kind: Literal["onnx", "tflite"] = "onnx"

    def convert(self, trained: Trained, options: Options) -> Converted:
        """The network as float32 ONNX."""
        content: bytes = to_onnx(trained, options.form).SerializeToString(deterministic=True)
        return Converted(content)


def to_onnx(trained: Trained, form: Form) -> Any:
    """The network as an `onnx.ModelProto` with float32 weights, any batch size.

    Raises:
        MissingExtraError: If torch, onnx or onnxscript is not installed.
    """
    torch, _ = need("torch"), need("onnxscript")
    # An example of 2 windows, for the exporter takes a dimension of 1 as fixed.
    example = torch.zeros(2, *trained.shown(form).shape[1:])
    with _quiet():
        program = torch.onnx.export(
            trained.net,
            (example,),
            dynamo=True,
            opset_version=OPSET,
            input_names=[form],
            output_names=["logits", "embedding"],
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            verbose=False,
        )
    return prune(program.model_proto)


def prune(model: Any) -> Any:
    """Strip a `ModelProto` of all that inference does not need, in place.

    The exporter keeps the source line behind every node, and so paths of the machine that it ran on; shapes
    within the graph follow from its input.
    """
    graph = model.graph
    for part in (model, graph, *graph.node, *graph.initializer, *graph.input, *graph.output):
        part.ClearField("doc_string")
        part.ClearField("metadata_props")
    graph.ClearField("value_info")
    return model


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's remarks on packages that we do not use, and on its own internals, to itself."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)

"""Float ONNX with its weights in half precision: half the size, all sums in float32.

Each large weight is stored as float16 with a cast behind it, which an engine folds away when it loads the
file. It then runs as the float32 file does, at its speed, and without half-precision kernels, which x86 lacks
and which round every sum as well. The front-end, the statistics and the class scores stay float32: the basis
must cancel gravity to seven digits, and the others are small.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from img2imu_export.extras import need
from img2imu_export.onnx import graph_in_form, nodes_of, prune, to_bytes, to_onnx
from img2imu_export.targets import Converted, OneFile, Options, Trained

_HALVED = ("Conv", "Gemm")
"""Kinds of node with large weights."""


@dataclass(frozen=True)
class OnnxHalf(OneFile):
    """ONNX with float16 weights, float32 input and outputs."""

    suffix: str = "-fp16.onnx"
    exact: bool = False
    kind: Literal["onnx", "tflite"] = "onnx"

    def convert(self, trained: Trained, options: Options) -> Converted:
        """The network as ONNX with float16 weights."""
        halved = halve(to_onnx(trained), options.keep_float)
        how = (
            "float16: weights of the convolutions and the projection, computed in float32; "
            f"{', '.join(('statistics', *options.keep_float))} and class scores float32"
        )
        return Converted(to_bytes(graph_in_form(halved, trained, options.form)), how)


def halve(model: Any, keep_float: Sequence[str] = ()) -> Any:
    """A `ModelProto` with float16 weights; the given one is left as it is.

    A weight beyond float16's range, 65504, stays float32.

    Args:
        model: From `to_onnx`.
        keep_float: Modules of the network, as `img2imu_export.onnx.layers` names them, that stay float32.

    Returns:
        The model, pruned.

    Raises:
        ModelError: If the network has no such module.
    """
    onnx = need("onnx")
    kept = set(nodes_of(model, keep_float, _HALVED))
    halved = onnx.ModelProto()
    halved.CopyFrom(model)
    weights = {
        node.input[1]
        for node in halved.graph.node
        if node.op_type in _HALVED and node.name not in kept and "logits" not in node.output
    }
    casts = []
    for weight in halved.graph.initializer:
        values = onnx.numpy_helper.to_array(weight)
        if weight.name not in weights or np.abs(values).max(initial=0) > np.finfo(np.float16).max:
            continue
        name = weight.name
        weight.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
        casts.append(onnx.helper.make_node("Cast", [f"{name}.half"], [name], f"{name}.cast", to=1))
    nodes = [*casts, *halved.graph.node]
    del halved.graph.node[:]
    halved.graph.node.extend(nodes)
    return prune(halved)

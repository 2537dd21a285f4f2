"""Float ONNX to int8 ONNX: static QDQ, weights per channel, ranges from real pictures.

Convolutions and the projection of the features are int8. The picture's statistics, pooling and class scores
stay float: they are cheap, and their ranges have little in common. A front-end in the graph is joined on
afterwards, in float: powers span more than eight bits.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from img2imu_export.converting import converting
from img2imu_export.extras import need
from img2imu_export.onnx import graph_in_form, layers, nodes_of, prune, to_bytes, to_onnx
from img2imu_export.quiet import quiet
from img2imu_export.targets import Converted, OneFile, Options, Pictures, Trained

_BATCH = 64

_QUANTISED = ("Conv", "Relu", "Add", "Gemm")
"""Kinds of node that the backbone and the projection are made of, and the statistics are not."""

_LAYER = re.compile(r"backbone\.stages\.\d+|project")
"""Modules whose noise is told."""

_TOLD = 128
"""Windows that it is told on."""


@dataclass(frozen=True)
class OnnxInt8(OneFile):
    """int8 ONNX with float32 input and outputs.

    Attributes:
        reduce_range: Keep weights to 7 bits. x86 without VNNI adds pairs of products in 16 bits, which 8-bit
            weights overflow silently; one file that is right everywhere needs it. False suits a file that
            only ARM, or x86 with VNNI, will run.
    """

    suffix: str = ".onnx"
    exact: bool = False
    kind: Literal["onnx", "tflite"] = "onnx"
    reduce_range: bool = True

    def convert(self, trained: Trained, options: Options) -> Converted:
        """The network as int8 ONNX."""
        model = to_onnx(prepared(trained))
        quantised = quantise(model, trained.pictures, self.reduce_range, options.keep_float)
        places = {
            name: next(node.output[0] for node in model.graph.node if node.name == nodes[-1])
            for name, nodes in layers(model).items()
            if _LAYER.fullmatch(name)
        }
        noise = need("img2imu_export.layers").onnx_layers(
            model, quantised, places, "picture", trained.pictures[:_TOLD]
        )
        how = (
            f"int8: ONNX Runtime static QDQ, uint8 activations, per-channel weights of "
            f"{8 - self.reduce_range} bits, min-max of {len(trained.pictures)} training windows; "
            f"{', '.join(('statistics', *options.keep_float))} and class scores float32"
        )
        return Converted(to_bytes(graph_in_form(quantised, trained, options.form)), how, noise)


def prepared(trained: Trained) -> Trained:
    """The same, with a network that computes the same but suits eight bits and ONNX Runtime's kernels.

    Raises:
        MissingExtraError: If torch is not installed.
    """
    smooth = need("img2imu_export.smooth").smooth
    widen, lean = need("img2imu_export.entrance").widen, need("img2imu_export.lean").lean
    return replace(trained, net=lean(widen(smooth(trained.net, trained.pictures))))


def quantise(model: Any, calibration: Pictures, reduce_range: bool, keep_float: Sequence[str] = ()) -> Any:
    """Quantise a float `ModelProto`, which is left as it is.

    Args:
        model: From `to_onnx`, of a network from `prepared`.
        calibration: Pictures that show the range of every value.
        reduce_range: Weights of 7 bits instead of 8.
        keep_float: Modules of the network, as `layers` names them, that stay float32.

    Returns:
        The quantised model, pruned. A node keeps its name, and so does its output.

    Raises:
        MissingExtraError: If ONNX Runtime is not installed.
        ModelError: If the network has no such module, or cannot be quantised.
    """
    onnx, quantization = need("onnx"), need("onnxruntime.quantization")
    excluded = nodes_of(model, keep_float, _QUANTISED)
    excluded += [node.name for node in model.graph.node if "logits" in node.output]
    # quantize_static warns unless this mark of its own pre-processing is there. What that would do, folding
    # and fusing, the float export has done.
    marked = onnx.ModelProto()
    marked.CopyFrom(model)
    prune(marked).metadata_props.add(key="onnx.quant.pre_process", value="onnxruntime.quant")
    with tempfile.TemporaryDirectory() as folder, quiet(), converting("the quantiser of ONNX Runtime"):
        path = Path(folder) / "int8.onnx"
        quantization.quantize_static(
            marked,
            path,
            _Reader(calibration),
            quant_format=quantization.QuantFormat.QDQ,
            per_channel=True,
            reduce_range=reduce_range,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            calibrate_method=quantization.CalibrationMethod.MinMax,
            op_types_to_quantize=list(_QUANTISED),
            nodes_to_exclude=excluded,
            # The embedding is an output, and distances in it decide what is unknown: it is not rounded.
            extra_options={"OpTypesToExcludeOutputQuantization": ["Gemm"]},
        )
        quantised = onnx.load_model(path)
    return prune(quantised)


class _Reader:
    """Hands the quantiser one batch of pictures after the other (its `CalibrationDataReader`)."""

    def __init__(self, pictures: Pictures) -> None:
        self._batches: Iterator[Pictures] = (
            pictures[start : start + _BATCH] for start in range(0, len(pictures), _BATCH)
        )

    def get_next(self) -> dict[str, Pictures] | None:
        """The next batch, or None after the last."""
        batch = next(self._batches, None)
        return None if batch is None else {"picture": batch}

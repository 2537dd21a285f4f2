"""Float ONNX to int8 ONNX: static QDQ, weights per channel, ranges from real pictures.

Convolutions and the projection of the features are int8. The picture's statistics, pooling and class scores
stay float: they are cheap, and their ranges have little in common.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from img2imu_export.extras import need
from img2imu_export.onnx import prune, to_onnx
from img2imu_export.targets import Converted, OneFile, Options, Pictures, Trained

_BATCH = 64

_QUANTISED = ("Conv", "Relu", "Add", "Gemm")
"""Kinds of node that the backbone and the projection are made of, and the statistics are not."""


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
        smooth = need("img2imu_export.smooth").smooth
        smoothed = replace(trained, net=smooth(trained.net, trained.pictures))
        graph = quantise(to_onnx(smoothed, "picture"), trained.pictures, self.reduce_range)
        how = (
            f"int8: ONNX Runtime static QDQ, uint8 activations, per-channel weights of "
            f"{8 - self.reduce_range} bits, min-max of {len(trained.pictures)} training windows; "
            "statistics and class scores float32"
        )
        return Converted(graph, how)


def quantise(model: Any, calibration: Pictures, reduce_range: bool) -> bytes:
    """Quantise a float `ModelProto`.

    Args:
        model: From `to_onnx`, of a network from `smooth`.
        calibration: Pictures that show the range of every value.
        reduce_range: Weights of 7 bits instead of 8.

    Returns:
        The quantised file, without a card.

    Raises:
        MissingExtraError: If ONNX Runtime is not installed.
    """
    onnx, quantization = need("onnx"), need("onnxruntime.quantization")
    # quantize_static warns unless this mark of its own pre-processing is there. What that would do, folding
    # and fusing, the float export has done.
    marked = onnx.ModelProto()
    marked.CopyFrom(model)
    marked.metadata_props.add(key="onnx.quant.pre_process", value="onnxruntime.quant")
    scores = [node.name for node in marked.graph.node if "logits" in node.output]
    with tempfile.TemporaryDirectory() as folder:
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
            nodes_to_exclude=scores,
            # The embedding is an output, and distances in it decide what is unknown: it is not rounded.
            extra_options={"OpTypesToExcludeOutputQuantization": ["Gemm"]},
        )
        quantised = onnx.load_model(path)
    content: bytes = prune(quantised).SerializeToString(deterministic=True)
    return content


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

"""What quantisation did to each layer: signal-to-noise ratios, and whose fault the noise is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from img2imu_edge.card import Form
from img2imu_export.extras import need
from img2imu_export.targets import Layer

SILENT_DB = 120.0
"""Where there is no noise to speak of: float32 itself rounds at −150 dB."""


def sqnr_db(exact: NDArray[np.float32], rounded: NDArray[np.float32]) -> float:
    """Signal-to-quantisation-noise ratio 20 log₁₀(‖exact‖ / ‖exact − rounded‖), at most `SILENT_DB`.

    Args:
        exact: A layer's output in the float network, any shape.
        rounded: The same in the quantised one, as real numbers.
    """
    signal = float(np.linalg.norm(exact.astype(np.float64)))
    noise = float(np.linalg.norm(exact.astype(np.float64) - rounded))
    if noise <= signal * 10 ** (-SILENT_DB / 20):
        return SILENT_DB
    return 20 * float(np.log10(max(signal, 1e-30) / noise))


def added_noise(layers: Sequence[Layer]) -> dict[str, float]:
    """The share of noise that each layer brings itself, by its name.

    A layer's ratio counts all noise from the picture on, so the last one always looks worst. Independent
    noises add in power, and a layer that rounds nothing passes signal and noise on alike: what a layer has
    more of, noise to signal, than the one before it, is its own.

    Args:
        layers: In the graph's order.
    """
    before, found = 0.0, {}
    for layer in layers:
        share = 10 ** (-layer.sqnr_db / 10)
        found[layer.name] = max(0.0, share - before)
        before = share
    return found


def worst(layers: Sequence[Layer], beside: Sequence[str] = ()) -> list[Layer]:
    """Layers by the noise that they bring themselves, the most first.

    Args:
        layers: In the graph's order.
        beside: Names of layers to leave out, such as those in float already.
    """
    noise = added_noise(layers)
    return sorted(
        (layer for layer in layers if layer.name not in beside), key=lambda layer: -noise[layer.name]
    )


def onnx_layers(
    exact: Any, quantised: Any, places: Mapping[str, str], form: Form, shown: NDArray[np.float32]
) -> tuple[Layer, ...]:
    """Layers of a quantised `onnx.ModelProto` against those of the float one that it was made of.

    Args:
        exact: The float model.
        quantised: The model in QDQ form: a node's output keeps its name.
        places: For each layer, in the graph's order, the name of its output in the float model.
        form: The graphs' input.
        shown: (windows, …) of it.
    """
    # What the next layer sees is what was rounded: where a ReLU follows, rounding also does its clipping,
    # and the tensor before it holds values from before the ReLU.
    held = {output for node in quantised.graph.node for output in node.output}
    rounded = {place: f"{place}_DequantizeLinear_Output" for place in places.values()}
    after_places = [rounded[place] if rounded[place] in held else place for place in places.values()]
    before = _tapped(exact, list(places.values()), form, shown)
    after = _tapped(quantised, after_places, form, shown)
    return tuple(
        Layer(name, sqnr_db(before[place], after[at]))
        for (name, place), at in zip(places.items(), after_places, strict=True)
    )


def _tapped(
    model: Any, tensors: Sequence[str], form: Form, shown: NDArray[np.float32]
) -> dict[str, NDArray[np.float32]]:
    """What these tensors hold when the model runs."""
    onnx, runtime = need("onnx"), need("onnxruntime")
    tapped = onnx.ModelProto()
    tapped.CopyFrom(model)
    known = {output.name for output in tapped.graph.output}
    for name in dict.fromkeys(tensors):
        if name not in known:
            tapped.graph.output.add(name=name).type.tensor_type.elem_type = onnx.TensorProto.FLOAT
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    session = runtime.InferenceSession(
        tapped.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return dict(zip(tensors, session.run(list(tensors), {form: shown}), strict=True))

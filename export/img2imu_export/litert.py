"""Trained network to TFLite, float and int8: the only module that knows the converter and the quantiser.

In int8, convolutions and the projection of the features are; the picture's statistics, pooling and class
scores stay float: they are cheap, and their ranges have little in common. So does a front-end in the graph:
powers span more than eight bits.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from img2imu_edge.card import Form
from img2imu_export.converting import converting
from img2imu_export.extras import need
from img2imu_export.flatbuffer import tidy
from img2imu_export.quiet import quiet
from img2imu_export.targets import Converted, OneFile, Options, Trained

_SIGNATURE = "serving_default"

_QUANTISED = (
    ("CONV_2D", "Backbone_backbone"),
    ("PAD", "Backbone_backbone"),
    ("ADD", "Residual"),
    ("FULLY_CONNECTED", "project"),
)
"""Kinds of operator that become int8, and what the modules that they come from are called."""

_WEIGHTS = ("CONV_2D", "FULLY_CONNECTED")
"""Of these, the kinds that have weights."""

_TOLD = 128
"""Windows that the noise of each layer is told on."""

_ENVIRONMENT = {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "0"}
"""Read by the converter's native library when it loads: no remarks, and the same sums on every CPU."""


@dataclass(frozen=True)
class LiteRtFloat(OneFile):
    """float32 TFLite."""

    suffix: str = "-fp32.tflite"
    exact: bool = True
    kind: Literal["onnx", "tflite"] = "tflite"

    def convert(self, trained: Trained, options: Options) -> Converted:
        """The network as float32 TFLite."""
        return Converted(tidy(to_tflite(trained, options.form)))


@dataclass(frozen=True)
class LiteRtInt8(OneFile):
    """int8 TFLite with float32 input and outputs."""

    suffix: str = ".tflite"
    exact: bool = False
    kind: Literal["onnx", "tflite"] = "tflite"
    edges: ClassVar[tuple[str, ...]] = ()

    def convert(self, trained: Trained, options: Options) -> Converted:
        """The network as int8 TFLite."""
        smooth = need("img2imu_export.smooth").smooth
        smoothed = replace(trained, net=smooth(trained.net, trained.pictures))
        shown, exact = trained.shown(options.form), to_tflite(smoothed, options.form)
        content = quantise(exact, shown, options.form, options.keep_float, self.edges)
        how = (
            "int8: LiteRT static, int8 activations, per-channel weights of 8 bits, "
            f"min-max of {len(trained.pictures)} training windows; "
            f"{', '.join(('statistics', *options.keep_float))} and class scores float32"
        )
        if self.edges:
            how += f"; {' and '.join(self.edges)} int8"
        # Rounding an input is no layer's noise: it is left out.
        noise = content if not self.edges else quantise(exact, shown, options.form, options.keep_float)
        layers = need("img2imu_export.tflite_layers").layers(exact, noise, options.form, shown[:_TOLD])
        return Converted(tidy(content), how, layers)


@dataclass(frozen=True)
class LiteRtInt8Edges(LiteRtInt8):
    """int8 TFLite with int8 input and outputs, for firmware that hands over integers.

    Logits and embedding have one scale each, so that they are coarser than those of `tflite-int8`: with the
    shipped model the embedding is off by up to 0.7 instead of 0.3, and no window is rejected otherwise.
    """

    suffix: str = "-int8-io.tflite"
    edges: ClassVar[tuple[str, ...]] = ("input", "outputs")


@dataclass(frozen=True)
class LiteRtDynamic(OneFile):
    """TFLite with int8 weights; activations are float32, or rounded as they come where a kernel can."""

    suffix: str = "-dynamic.tflite"
    exact: bool = False
    kind: Literal["onnx", "tflite"] = "tflite"

    def convert(self, trained: Trained, options: Options) -> Converted:
        """The network as TFLite with int8 weights."""
        smooth = need("img2imu_export.smooth").smooth
        smoothed = replace(trained, net=smooth(trained.net, trained.pictures))
        exact = to_tflite(smoothed, options.form)
        content = quantise_weights(exact, options.keep_float)
        kept = f"; {', '.join(options.keep_float)} float32" if options.keep_float else ""
        shown = trained.shown(options.form)[:_TOLD]
        layers = need("img2imu_export.tflite_layers").layers(exact, content, options.form, shown)
        how = f"int8 weights: LiteRT dynamic range, per channel, 8 bits{kept}"
        return Converted(tidy(content), how, layers)


def to_tflite(trained: Trained, form: Form) -> bytes:
    """The network as a float32 TFLite file with one signature: `form` to `logits` and `embedding`.

    Raises:
        MissingExtraError: If torch or litert-torch is not installed.
        ModelError: If the converter fails.
    """
    with _quiet(), converting("litert-torch"):
        torch, litert_torch = need("torch"), need("litert_torch")
        net = need("img2imu_export.frontend").in_form(trained, form)
        named = need("img2imu_export.named").Named(net)
        example = {form: torch.zeros(1, *trained.shown(form).shape[1:])}
        model = litert_torch.convert(named.eval(), sample_kwargs=example)
        content: bytes = model.model_content()
    return content


def quantise(
    content: bytes,
    calibration: NDArray[np.float32],
    form: Form = "picture",
    keep_float: Sequence[str] = (),
    edges: Sequence[str] = (),
) -> bytes:
    """Quantise the convolutions and the projection of a float TFLite file of a network from `smooth`.

    Ranges are the true minimum and maximum over the windows. The quantiser's default, a moving average of
    each window's, is wrong by whole units of a logit.

    Args:
        content: From `to_tflite`.
        calibration: Windows in the form that it takes.
        form: That form.
        keep_float: Modules of the network, such as `backbone.stages.0`, that stay float32.
        edges: What of `input` and `outputs` becomes int8.

    Raises:
        MissingExtraError: If ai-edge-quantizer is not installed.
        ModelError: If the network has no such module, or the quantiser fails.
    """
    with _quiet(), converting("ai-edge-quantizer"):
        calibrator = need("ai_edge_quantizer.calibrator")
        min_max = need("ai_edge_quantizer.utils.qsv_utils").min_max_update
        made, names = _quantizer(content)
        for kind, module in _QUANTISED:
            made.add_static_config(module, names[kind], activation_num_bits=8, weight_num_bits=8)
        for edge in edges:
            kind = {"input": names.INPUT, "outputs": names.OUTPUT}[edge]
            made.add_static_config(".*", kind, activation_num_bits=8, weight_num_bits=8)
        _keep_float(made, names, content, keep_float)
        seen = calibrator.Calibrator(content, num_threads=1, qsv_update_func=min_max)
        # Quantizer.calibrate() takes no update function, hence the way around it.
        seen.calibrate({_SIGNATURE: [{form: window[None]} for window in calibration]}, made._recipe_manager)
        result = made.quantize(seen.get_model_qsvs(), enable_progress_bar=False, enable_progress_report=False)
    return bytes(result.quantized_model)


def quantise_weights(content: bytes, keep_float: Sequence[str] = ()) -> bytes:
    """Quantise the weights of convolutions and projection alone: arguments and errors as of `quantise`."""
    with _quiet(), converting("ai-edge-quantizer"):
        made, names = _quantizer(content)
        for kind, module in _QUANTISED:
            if kind in _WEIGHTS:
                made.add_dynamic_config(module, names[kind], num_bits=8)
        _keep_float(made, names, content, keep_float)
        result = made.quantize(enable_progress_bar=False, enable_progress_report=False)
    return bytes(result.quantized_model)


def _quantizer(content: bytes) -> tuple[Any, Any]:
    """The quantiser of a file, and its names of operators."""
    quantizer, types = need("ai_edge_quantizer.quantizer"), need("ai_edge_quantizer.qtyping")
    return quantizer.Quantizer(content), types.TFLOperationName


def _keep_float(made: Any, names: Any, content: bytes, layers: Sequence[str]) -> None:
    """Exclude modules of the network; of two rules that fit, the quantiser takes the later one."""
    for layer in layers:
        scope = need("img2imu_export.tflite_layers").scope(content, layer, _WEIGHTS)
        for kind in dict.fromkeys(kind for kind, _ in _QUANTISED):
            made.update_quantization_recipe(scope, names[kind], algorithm_key="no_quantize")


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the converters' progress and remarks to themselves, those of their native libraries too."""
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    with quiet():
        yield

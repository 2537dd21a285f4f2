"""Trained network to TFLite, float and int8: the only module that knows the converter and the quantiser.

In int8, convolutions and the projection of the features are; the picture's statistics, pooling and class
scores stay float: they are cheap, and their ranges have little in common. So does a front-end in the graph:
powers span more than eight bits.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from img2imu_edge.card import Form
from img2imu_export.extras import need
from img2imu_export.flatbuffer import tidy
from img2imu_export.targets import Converted, OneFile, Options, Trained

_SIGNATURE = "serving_default"

_QUANTISED = (
    ("CONV_2D", "Backbone_backbone"),
    ("PAD", "Backbone_backbone"),
    ("ADD", "Residual"),
    ("FULLY_CONNECTED", "project"),
)
"""Kinds of operator that become int8, and what the modules that they come from are called."""

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

    def convert(self, trained: Trained, options: Options) -> Converted:
        """The network as int8 TFLite."""
        smooth = need("img2imu_export.smooth").smooth
        smoothed = replace(trained, net=smooth(trained.net, trained.pictures))
        content = quantise(to_tflite(smoothed, options.form), trained.shown(options.form), options.form)
        how = (
            "int8: LiteRT static, int8 activations, per-channel weights of 8 bits, "
            f"min-max of {len(trained.pictures)} training windows; statistics and class scores float32"
        )
        return Converted(tidy(content), how)


def to_tflite(trained: Trained, form: Form) -> bytes:
    """The network as a float32 TFLite file with one signature: `form` to `logits` and `embedding`.

    Raises:
        MissingExtraError: If torch or litert-torch is not installed.
    """
    with _quiet():
        torch, litert_torch = need("torch"), need("litert_torch")
        net = need("img2imu_export.frontend").in_form(trained, form)
        named = need("img2imu_export.named").Named(net)
        example = {form: torch.zeros(1, *trained.shown(form).shape[1:])}
        model = litert_torch.convert(named.eval(), sample_kwargs=example)
        content: bytes = model.model_content()
    return content


def quantise(content: bytes, calibration: NDArray[np.float32], form: Form = "picture") -> bytes:
    """Quantise the convolutions and the projection of a float TFLite file of a network from `smooth`.

    Ranges are the true minimum and maximum over the windows. The quantiser's default, a moving average of
    each window's, is wrong by whole units of a logit.

    Args:
        content: From `to_tflite`.
        calibration: Windows in the form that it takes.
        form: That form.

    Raises:
        MissingExtraError: If ai-edge-quantizer is not installed.
    """
    with _quiet():
        calibrator = need("ai_edge_quantizer.calibrator")
        quantizer = need("ai_edge_quantizer.quantizer")
        names = need("ai_edge_quantizer.qtyping").TFLOperationName
        min_max = need("ai_edge_quantizer.utils.qsv_utils").min_max_update
        made = quantizer.Quantizer(content)
        for kind, module in _QUANTISED:
            made.add_static_config(module, names[kind], activation_num_bits=8, weight_num_bits=8)
        seen = calibrator.Calibrator(content, num_threads=1, qsv_update_func=min_max)
        # Quantizer.calibrate() takes no update function, hence the way around it.
        seen.calibrate({_SIGNATURE: [{form: window[None]} for window in calibration]}, made._recipe_manager)
        result = made.quantize(seen.get_model_qsvs(), enable_progress_bar=False, enable_progress_report=False)
    return bytes(result.quantized_model)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the converters' progress and remarks to themselves; errors still come out as exceptions."""
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    silence = io.StringIO()
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(silence),
            contextlib.redirect_stderr(silence),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)

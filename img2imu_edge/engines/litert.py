"""LiteRT (TensorFlow Lite): `ai-edge-litert`, or `tflite-runtime` where only that exists."""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module
from threading import Lock
from typing import Any, cast, get_args

import numpy as np

from img2imu_edge.card import Form
from img2imu_edge.engines import Array, Output
from img2imu_edge.engines.guard import check_tflite
from img2imu_edge.errors import MissingExtraError, ModelError


class LiteRtEngine:
    """A network in a TFLite file, with float32 or int8 input and outputs.

    Args:
        graph: The file's bytes; what comes behind the flatbuffer is not looked at.

    Raises:
        MissingExtraError: If neither runtime is installed.
        ModelError: If the file is damaged or not a model of ours.
    """

    def __init__(self, graph: bytes) -> None:
        self.name, interpreter_class = _find_interpreter()
        check_tflite(graph)
        try:
            self._interpreter: Any = interpreter_class(model_content=graph, num_threads=1)
            self._interpreter.allocate_tensors()
            signature = self._interpreter.get_signature_runner()
        except (ValueError, RuntimeError) as error:
            raise ModelError(f"LiteRT cannot load it: {error}") from error
        inputs, outputs = signature.get_input_details(), signature.get_output_details()
        ours = any(set(inputs) == {form} for form in get_args(Form))
        if not ours or set(outputs) != {"logits", "embedding"}:
            raise ModelError(
                "it is a TFLite file, but not one of ours: expected the input 'picture' or 'samples' and the "
                f"outputs 'logits' and 'embedding', found {', '.join(sorted({**inputs, **outputs}))}"
            )
        for name, detail in {**inputs, **outputs}.items():
            dimensions, step = len(detail["shape"]), detail["quantization"][0]
            known = detail["dtype"] == np.float32 or (detail["dtype"] == np.int8 and step > 0)
            if not known or dimensions < 2 or (name in outputs and dimensions > 2):
                raise ModelError(f"its {name} is {detail['dtype'].__name__} of {detail['shape'].tolist()}")
        self.form = cast(Form, next(iter(inputs)))
        self._input = inputs[self.form]
        self._logits, self._embedding = outputs["logits"], outputs["embedding"]
        self.input_shape = tuple(int(n) for n in self._input["shape"][1:])
        self.classes, self.embedding_size = (int(o["shape"][-1]) for o in (self._logits, self._embedding))
        self._lock = Lock()  # an interpreter holds its tensors: one run at a time

    def run(self, window: Array) -> Output:
        """Run the network on one picture or one window of samples, float32.

        Raises:
            ModelError: If LiteRT cannot run it.
        """
        with self._lock:
            try:
                self._interpreter.set_tensor(self._input["index"], _to(window[None], self._input))
                self._interpreter.invoke()
            except (ValueError, RuntimeError) as error:
                raise ModelError(f"{self.name} loads the network but cannot run it: {error}") from error
            return Output(self._get(self._logits), self._get(self._embedding))

    def run_many(self, windows: Array) -> Output:
        """Run it on several, (n, *input_shape), one after the other: a TFLite graph takes one window."""
        logits, embeddings = zip(*map(self.run, windows), strict=True)
        return Output(np.stack(logits), np.stack(embeddings))

    def _get(self, output: dict[str, Any]) -> Array:
        return _from(self._interpreter.get_tensor(output["index"])[0], output)


def _to(values: Array, detail: dict[str, Any]) -> np.ndarray:
    """Float values as a tensor holds them."""
    if detail["dtype"] == np.float32:
        return values
    scale, zero = detail["quantization"]
    limits = np.iinfo(detail["dtype"])
    steps: np.ndarray = np.clip(np.rint(values / scale) + zero, limits.min, limits.max)
    return steps.astype(detail["dtype"])


def _from(values: np.ndarray, detail: dict[str, Any]) -> Array:
    """A tensor's content as float values."""
    if detail["dtype"] == np.float32:
        return values
    scale, zero = detail["quantization"]
    floats: Array = (values.astype(np.float32) - zero) * np.float32(scale)
    return floats


def _find_interpreter() -> tuple[str, Any]:
    for name, package in (("LiteRT", "ai_edge_litert"), ("tflite-runtime", "tflite_runtime")):
        try:
            interpreter = import_module(f"{package}.interpreter").Interpreter
        except ImportError:
            continue
        from importlib.metadata import PackageNotFoundError, version

        with suppress(PackageNotFoundError):  # unpacked by hand, it does not tell its version
            name = f"{name} {version(package.replace('_', '-'))}"
        return name, interpreter
    raise MissingExtraError(
        "a .tflite model needs LiteRT; get it with: pip install 'img2imu-edge[litert]' "
        "(on a 32-bit Raspberry Pi: pip install tflite-runtime 'numpy<2')"
    )

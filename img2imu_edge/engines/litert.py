"""LiteRT (TensorFlow Lite): `ai-edge-litert`, or `tflite-runtime` where only that exists."""

from __future__ import annotations

import io
import zipfile
from importlib import import_module
from threading import Lock
from typing import Any

from img2imu_edge.card import CARD_KEY
from img2imu_edge.engines import Array, Output
from img2imu_edge.errors import MissingExtraError, ModelError

CARD_FILE = f"{CARD_KEY}.json"
"""Name of the model card in the zip behind the flatbuffer."""

_CARD_LIMIT = 4 << 20


class LiteRtEngine:
    """A network in a TFLite file.

    Args:
        content: The file's bytes.

    Raises:
        MissingExtraError: If neither runtime is installed.
        ModelError: If the file is damaged or not a model of ours.
    """

    def __init__(self, content: bytes) -> None:
        self.name, interpreter_class = _find_interpreter()
        try:
            self._interpreter: Any = interpreter_class(model_content=content, num_threads=1)
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise ModelError(f"LiteRT cannot load it: {error}") from error
        inputs, outputs = self._interpreter.get_input_details(), self._interpreter.get_output_details()
        if len(inputs) != 1 or len(outputs) != 2:
            raise ModelError(
                "it is a TFLite file, but not one of ours: expected one input (picture) and two outputs "
                f"(logits, embedding), found {len(inputs)} and {len(outputs)}"
            )
        self._input = inputs[0]["index"]
        self._logits, self._embedding = self._find_outputs(outputs)
        self.picture_shape = tuple(int(n) for n in inputs[0]["shape"][1:])
        sizes = {detail["index"]: int(detail["shape"][-1]) for detail in outputs}
        self.classes, self.embedding_size = sizes[self._logits], sizes[self._embedding]
        self._lock = Lock()  # an interpreter holds its tensors: one run at a time

    def _find_outputs(self, outputs: list[dict[str, Any]]) -> tuple[int, int]:
        """Tensor indices of logits and embedding, by the signature's names, which the converters keep."""
        signatures = self._interpreter.get_signature_list()
        names = next(iter(signatures.values()))["outputs"] if signatures else []
        if sorted(names) == ["embedding", "logits"]:
            runner = self._interpreter.get_signature_runner()
            details = runner.get_output_details()
            return int(details["logits"]["index"]), int(details["embedding"]["index"])
        return int(outputs[0]["index"]), int(outputs[1]["index"])

    def run(self, picture: Array) -> Output:
        """Run the network on one picture, (3, rows, columns) float32."""
        with self._lock:
            self._interpreter.set_tensor(self._input, picture[None])
            self._interpreter.invoke()
            return Output(
                self._interpreter.get_tensor(self._logits)[0],
                self._interpreter.get_tensor(self._embedding)[0],
            )


def read_card(content: bytes) -> str | None:
    """The model card's JSON in the zip behind a TFLite flatbuffer, or None without one.

    Raises:
        ModelError: If the card is unreasonably large or the zip is damaged.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if CARD_FILE not in archive.namelist():
                return None
            if archive.getinfo(CARD_FILE).file_size > _CARD_LIMIT:
                raise ModelError(f"its model card is larger than {_CARD_LIMIT >> 20} MiB")
            return archive.read(CARD_FILE).decode("utf-8")
    except (zipfile.BadZipFile, UnicodeDecodeError):
        return None


def _find_interpreter() -> tuple[str, Any]:
    for name, package in (("LiteRT", "ai_edge_litert"), ("tflite-runtime", "tflite_runtime")):
        try:
            return name, import_module(f"{package}.interpreter").Interpreter
        except ImportError:
            continue
    raise MissingExtraError(
        "a .tflite model needs LiteRT; get it with: pip install 'img2imu-edge[litert]' "
        "(on a 32-bit Raspberry Pi: pip install tflite-runtime 'numpy<2')"
    )

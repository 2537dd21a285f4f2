"""ONNX Runtime, set up for a small device: one thread, no spinning, no arena that keeps memory."""

from __future__ import annotations

from typing import Any

from img2imu_edge.engines import Array, Output
from img2imu_edge.errors import MissingExtraError, ModelError


class OnnxEngine:
    """A network in an ONNX file.

    Args:
        content: The file's bytes.

    Raises:
        MissingExtraError: If ONNX Runtime is not installed.
        ModelError: If the file is damaged or not a model of ours.
    """

    def __init__(self, content: bytes) -> None:
        try:
            import onnxruntime as ort
        except ImportError as error:
            raise MissingExtraError(
                "ONNX Runtime is not installed; get it with: pip install onnxruntime"
            ) from error
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
        options.enable_cpu_mem_arena = False
        options.log_severity_level = 4
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session: Any = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime raises a family of types without a public base
            raise ModelError(f"ONNX Runtime cannot load it: {_first_line(error)}") from error
        self.name = f"ONNX Runtime {ort.__version__}"
        nodes = (*self._session.get_inputs(), *self._session.get_outputs())
        shapes = {node.name: node.shape for node in nodes}
        if set(shapes) != {"picture", "logits", "embedding"}:
            raise ModelError(
                "it is an ONNX file, but not one of ours: expected the input 'picture' and the outputs "
                f"'logits' and 'embedding', found {', '.join(sorted(shapes))}"
            )
        self.picture_shape = tuple(shapes["picture"][1:])
        self.classes = shapes["logits"][-1]
        self.embedding_size = shapes["embedding"][-1]

    @property
    def metadata(self) -> dict[str, str]:
        """The file's `metadata_props`."""
        return dict(self._session.get_modelmeta().custom_metadata_map)

    def run(self, picture: Array) -> Output:
        """Run the network on one picture, (3, rows, columns) float32."""
        logits, embedding = self._session.run(["logits", "embedding"], {"picture": picture[None]})
        return Output(logits[0], embedding[0])


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]

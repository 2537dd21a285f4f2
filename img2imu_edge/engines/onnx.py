"""ONNX Runtime, set up for a small device: one thread, no spinning."""

from __future__ import annotations

from typing import Any, get_args

from img2imu_edge.card import Form
from img2imu_edge.engines import Array, Output
from img2imu_edge.engines.guard import check_onnx
from img2imu_edge.errors import MissingExtraError, ModelError


class OnnxEngine:
    """A network in an ONNX file.

    Args:
        graph: The file's bytes; attachments are not looked at.

    Raises:
        MissingExtraError: If ONNX Runtime is not installed.
        ModelError: If the file is damaged or not a model of ours.
    """

    def __init__(self, graph: bytes) -> None:
        try:
            import onnxruntime as ort
        except ImportError as error:
            raise MissingExtraError(
                "ONNX Runtime is not installed; get it with: pip install onnxruntime"
            ) from error
        check_onnx(graph)
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
        options.log_severity_level = 4
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.add_session_config_entry("session.load_model_format", "ONNX")  # or it would go by the bytes
        try:
            self._session: Any = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime raises a family of types without a public base
            raise ModelError(f"ONNX Runtime cannot load it: {_first_line(error)}") from error
        self.name = f"ONNX Runtime {ort.__version__}"
        inputs = {node.name: node for node in self._session.get_inputs()}
        outputs = {node.name: node for node in self._session.get_outputs()}
        form = next((form for form in get_args(Form) if set(inputs) == {form}), None)
        if form is None or set(outputs) != {"logits", "embedding"}:
            raise ModelError(
                "it is an ONNX file, but not one of ours: expected the input 'picture' or 'samples' and the "
                f"outputs 'logits' and 'embedding', found {', '.join(sorted({**inputs, **outputs}))}"
            )
        for node in (inputs[form], *outputs.values()):
            dimensions = len(node.shape)
            if node.type != "tensor(float)" or dimensions < 2 or (node.name in outputs and dimensions > 2):
                raise ModelError(f"its {node.name} is {node.type} of {node.shape}, which is not one of ours")
        self.form: Form = form
        self.input_shape = tuple(inputs[form].shape[1:])
        self.classes = outputs["logits"].shape[-1]
        self.embedding_size = outputs["embedding"].shape[-1]

    def run(self, window: Array) -> Output:
        """Run the network on one picture or one window of samples, float32."""
        logits, embedding = self.run_many(window[None])
        return Output(logits[0], embedding[0])

    def run_many(self, windows: Array) -> Output:
        """Run it on several at once, (n, *input_shape)."""
        try:
            return Output(*self._session.run(["logits", "embedding"], {self.form: windows}))
        except Exception as error:  # of the same family
            told = _first_line(error)
            raise ModelError(f"{self.name} loads the network but cannot run it: {told}") from error


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]

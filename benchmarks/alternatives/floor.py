"""The floor: a decision's multiplications at the speed that this core multiplies big matrices with."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.alternatives.files import FILES
from img2imu_edge.container import unpack
from img2imu_edge.model import load_model

_SIDE = 1024
_TURNS = 7


@dataclass(frozen=True, slots=True)
class Peak:
    """Billions of multiply-adds a second on one thread.

    Attributes:
        float32: A product of two big matrices, NumPy's BLAS.
        int8: The same of bytes, ONNX Runtime's MatMulInteger.
    """

    float32: float
    int8: float


@dataclass(frozen=True, slots=True)
class Work:
    """Multiply-adds of a decision.

    Attributes:
        size: `tiny` or `small`.
        network: Of the network.
        front_end: Of the columns that are new in a hop.
    """

    size: str
    network: int
    front_end: int

    def floor_us(self, peak: Peak, int8: bool) -> float:
        """Microseconds, the front-end always in float32."""
        return (
            self.network / (peak.int8 if int8 else peak.float32) / 1e3 + self.front_end / peak.float32 / 1e3
        )


def measure_peak() -> Peak:
    """The core's speed, the best of a few turns.

    Raises:
        ImportError: If onnx or threadpoolctl is not installed.
    """
    from threadpoolctl import threadpool_limits

    rng = np.random.default_rng(0)
    matrix = rng.standard_normal((_SIDE, _SIDE), np.float32)
    with threadpool_limits(1):
        floats = _best(lambda: matrix @ matrix)
    session, given = _integers(rng)
    return Peak(round(floats, 1), round(_best(lambda: session.run(None, given)), 1))


def count(size: str) -> Work:
    """The multiply-adds of a network of `FILES` in float32, and of its front-end for one hop."""
    path = FILES[f"{size}-fp32"]
    model = load_model(path)
    spec, plan = model.card.input, model.plan
    return Work(size, macs(path.read_bytes()), spec.hop_columns * plan.axes * plan.basis.size)


def macs(file: bytes) -> int:
    """Multiply-adds of an ONNX file's convolutions and matrix products, for one window."""
    import onnx

    model: Any = onnx.load_from_string(unpack(file).graph)
    for node in (*model.graph.input, *model.graph.output):
        node.type.tensor_type.shape.dim[0].dim_value = 1
    graph = onnx.shape_inference.infer_shapes(model).graph
    shapes = {item.name: tuple(item.dims) for item in graph.initializer}
    for value in (*graph.input, *graph.value_info, *graph.output):
        shapes[value.name] = tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)
    total = 0
    for node in graph.node:
        if node.op_type in ("Conv", "Gemm", "MatMul"):
            weights = shapes[node.input[1]]
            # Each value that comes out is a sum over a kernel of all channels, or over the inner dimension.
            inner = (
                np.prod(weights[1:])
                if node.op_type == "Conv"
                else np.prod(weights) / shapes[node.output[0]][-1]
            )
            total += int(np.prod(shapes[node.output[0]]) * inner)
    return total


def _integers(rng: np.random.Generator) -> tuple[Any, dict[str, Any]]:
    """A session that multiplies unsigned by signed bytes, and what it is given."""
    import onnx
    import onnxruntime as ort

    weights = rng.integers(-64, 64, (_SIDE, _SIDE), np.int8)
    kinds, helper = onnx.TensorProto, onnx.helper
    graph = helper.make_graph(
        [helper.make_node("MatMulInteger", ["a", "b"], ["c"])],
        "peak",
        [helper.make_tensor_value_info("a", kinds.UINT8, (_SIDE, _SIDE))],
        [helper.make_tensor_value_info("c", kinds.INT32, (_SIDE, _SIDE))],
        [onnx.numpy_helper.from_array(weights, "b")],
    )
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session, {"a": rng.integers(0, 256, (_SIDE, _SIDE), np.uint8)}


def _best(call: Any) -> float:
    """Billions of multiply-adds a second of CPU."""
    times = []
    for _ in range(_TURNS):
        begin = time.process_time()
        call()
        times.append(time.process_time() - begin)
    return _SIDE**3 / min(times) / 1e9

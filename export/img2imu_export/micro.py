"""TensorFlow Lite Micro: a graph of operators that it has, and its genuine interpreter.

Its interpreter for Linux x86-64 (`tflite-micro`) is built of the kernels that run on a microcontroller. It
says how much memory a graph takes there, and whether the graph computes what it should: an operator that is
lacking, or weights where it does not look, show nowhere else before the device is flashed.
"""

from __future__ import annotations

import copy
import os
import re
import sys
import tempfile
from importlib.util import find_spec
from threading import Lock
from typing import Any, cast

import numpy as np

from img2imu_edge.card import Form
from img2imu_edge.engines import Array, Output
from img2imu_edge.errors import ModelError
from img2imu_export.extras import need
from img2imu_export.flatbuffer import kind, opcode
from img2imu_export.schedule import schedule

_OUTPUTS = ("logits", "embedding")
"""In the order of the outputs of a graph from `fit`: the interpreter knows no names."""

_SCRATCH = 1 << 22
"""Bytes of memory to try a graph in: more than any microcontroller has."""


def installed() -> bool:
    """Whether the interpreter is there."""
    return find_spec("tflite_micro") is not None


def fit(content: bytes, thrifty: bool = False) -> bytes:
    """Rewrite a TFLite file so that the interpreter runs it; it computes the same.

    RELU_0_TO_1 becomes RELU and MINIMUM, and REDUCE_MIN becomes NEG, REDUCE_MAX and NEG: the interpreter has
    no RELU_0_TO_1, and only its newest versions have REDUCE_MIN. Both are exact. Outputs come in the order
    logits, embedding.

    Args:
        content: From `tidy`: weights inside, one subgraph, one signature.
        thrifty: Also reorder the operators; see `schedule`.
    """
    utils, schema = need("ai_edge_litert.tools.flatbuffer_utils"), need("ai_edge_litert.schema_py_generated")
    model = utils.read_model_from_bytearray(bytearray(content))
    (graph,), (signature,) = model.subgraphs, model.signatureDefs
    kinds, operators = schema.BuiltinOperator, []
    for operator in graph.operators:
        found = kind(model.operatorCodes[operator.opcodeIndex])
        end = int(operator.outputs[0])
        if found == kinds.RELU_0_TO_1:
            cut, one = _like(graph, end), _constant(schema, model, graph, np.float32(1.0))
            operators += [
                _operator(schema, model, kinds.RELU, operator.inputs, cut),
                _operator(schema, model, kinds.MINIMUM, (cut, one), end, "MaximumMinimumOptions"),
            ]
        elif found == kinds.REDUCE_MIN:
            start, axes = operator.inputs
            turned, largest = _like(graph, start), _like(graph, end)
            operators += [
                _operator(schema, model, kinds.NEG, (start,), turned, "NegOptions"),
                _operator(schema, model, kinds.REDUCE_MAX, (turned, axes), largest, operator.builtinOptions),
                _operator(schema, model, kinds.NEG, (largest,), end, "NegOptions"),
            ]
        else:
            operators.append(operator)
    graph.operators = schedule(model, operators) if thrifty else operators
    _drop_unused_codes(model, graph)
    places = {named.name.decode(): named.tensorIndex for named in signature.outputs}
    graph.outputs = np.array([places[name] for name in _OUTPUTS], np.int32)
    return bytes(utils.convert_object_to_bytearray(model))


def operators(content: bytes) -> tuple[str, ...]:
    """Kinds of operator in a TFLite file, by their names in TFLite's schema, in the graph's order."""
    utils, schema = need("ai_edge_litert.tools.flatbuffer_utils"), need("ai_edge_litert.schema_py_generated")
    names = {value: name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)}
    model = utils.read_model_from_bytearray(bytearray(content))
    found = [names[kind(model.operatorCodes[o.opcodeIndex])] for o in model.subgraphs[0].operators]
    return tuple(dict.fromkeys(found))


def arena(content: bytes) -> int:
    """Bytes of memory that a graph takes in the interpreter, beside its own bytes.

    On this 64-bit machine: pointers are half as long on a microcontroller, but optimised kernels such as
    CMSIS-NN's take scratch memory of their own.

    Raises:
        MissingExtraError: If the interpreter is not installed.
        ModelError: If it does not run the graph.
    """
    engine = MicroEngine(content)
    engine.run(np.zeros(engine.input_shape, np.float32))
    # The interpreter tells this in words alone, on the process' own standard error.
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with tempfile.TemporaryFile() as file:
            os.dup2(file.fileno(), 2)
            engine.interpreter.print_allocations()
            os.dup2(kept, 2)
            file.seek(0)
            said = file.read().decode("utf-8", "replace")
    finally:
        os.dup2(kept, 2)
        os.close(kept)
    found = re.search(r"allocation total (\d+) bytes", said)
    if not found:
        raise ModelError(f"this version of tflite-micro does not say how much memory it took: {said[:200]}")
    return int(found[1])


class MicroEngine:
    """A graph in TensorFlow Lite Micro's interpreter.

    Args:
        graph: From `fit`.

    Raises:
        MissingExtraError: If the interpreter is not installed.
        ModelError: If it lacks an operator, or the graph is not one of ours.
    """

    def __init__(self, graph: bytes) -> None:
        runtime = need("tflite_micro").runtime
        utils = need("ai_edge_litert.tools.flatbuffer_utils")
        model = utils.read_model_from_bytearray(bytearray(graph))
        (signature,) = model.signatureDefs
        names = {named.tensorIndex: named.name.decode() for named in (*signature.inputs, *signature.outputs)}
        inner = model.subgraphs[0]
        if [names[index] for index in inner.outputs] != list(_OUTPUTS):
            raise ModelError("its outputs are not logits and embedding, in this order")
        try:
            self.interpreter: Any = runtime.Interpreter.from_bytes(graph, arena_size=_SCRATCH)
        except RuntimeError as error:
            raise ModelError(
                f"TensorFlow Lite Micro cannot run it: {error}; its operators: {', '.join(operators(graph))}"
            ) from error
        self.name = "TensorFlow Lite Micro"
        self.form = cast(Form, names[inner.inputs[0]])
        outputs = [self.interpreter.get_output_details(index) for index in range(len(_OUTPUTS))]
        self.input_shape = tuple(int(n) for n in self.interpreter.get_input_details(0)["shape"][1:])
        self.classes, self.embedding_size = (int(detail["shape"][-1]) for detail in outputs)
        self._lock = Lock()  # an interpreter holds its tensors: one run at a time

    def run(self, window: Array) -> Output:
        """Run the network on one picture or one window of samples, float32."""
        with self._lock:
            self.interpreter.set_input(window[None], 0)
            self.interpreter.invoke()
            logits, embedding = (self.interpreter.get_output(i)[0].copy() for i in range(len(_OUTPUTS)))
        return Output(logits, embedding)

    def run_many(self, windows: Array) -> Output:
        """Run it on several, (n, *input_shape), one after the other."""
        logits, embeddings = zip(*map(self.run, windows), strict=True)
        return Output(np.stack(logits), np.stack(embeddings))


def _like(graph: Any, index: int) -> int:
    """A new tensor of the same shape and type."""
    tensor = copy.deepcopy(graph.tensors[index])
    tensor.buffer, tensor.name = 0, None
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1


def _constant(schema: Any, model: Any, graph: Any, value: np.float32) -> int:
    buffer, tensor = schema.BufferT(), schema.TensorT()
    buffer.data = np.frombuffer(value.tobytes(), np.uint8)
    model.buffers.append(buffer)
    tensor.shape, tensor.type = np.array([], np.int32), schema.TensorType.FLOAT32
    tensor.buffer, tensor.hasRank = len(model.buffers) - 1, True
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1


def _operator(schema: Any, model: Any, wanted: int, inputs: Any, output: int, options: Any = None) -> Any:
    """A new operator; options by the name of their table, or taken over from another operator."""
    made = schema.OperatorT()
    made.opcodeIndex = opcode(model, wanted)
    made.inputs, made.outputs = np.array(inputs, np.int32), np.array([output], np.int32)
    if options is not None:
        made.builtinOptions = getattr(schema, f"{options}T")() if isinstance(options, str) else options
        table = type(made.builtinOptions).__name__.removesuffix("T")
        made.builtinOptionsType = getattr(schema.BuiltinOptions, table)
    return made


def _drop_unused_codes(model: Any, graph: Any) -> None:
    """A kind that is listed must be registered on the device, even where nothing uses it."""
    used = sorted({operator.opcodeIndex for operator in graph.operators})
    places = {old: new for new, old in enumerate(used)}
    for operator in graph.operators:
        operator.opcodeIndex = places[operator.opcodeIndex]
    model.operatorCodes = [model.operatorCodes[index] for index in used]

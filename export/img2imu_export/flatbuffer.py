"""Tidy a TFLite flatbuffer: weights inside, nothing larger than it need be, no names but the signature's."""

from __future__ import annotations

from typing import Any

import numpy as np

from img2imu_export.extras import need

_WORTH = 256
"""Cells of the smallest constant that is worth an operator to unpack it."""


def tidy(content: bytes) -> bytes:
    """Rewrite a TFLite file.

    The quantiser puts the weights of larger models behind the flatbuffer, where TensorFlow Lite Micro and a
    zip reader do not look; here they go inside. Names of inner tensors, many of them longer than what they
    name, go. float32 constants that are multiples of one step become int8; see `pack`.

    Args:
        content: A TFLite file with one subgraph and one signature.

    Returns:
        The same network; the same bytes for the same argument.
    """
    utils = need("ai_edge_litert.tools.flatbuffer_utils")
    model = utils.read_model_from_bytearray(bytearray(content))
    (graph,), (signature,) = model.subgraphs, model.signatureDefs
    pack(model)
    for tensor in graph.tensors:
        tensor.name = None
    for named in (*signature.inputs, *signature.outputs):
        graph.tensors[named.tensorIndex].name = named.name
    return bytes(utils.convert_object_to_bytearray(model))


def pack(model: Any) -> None:
    """Keep float32 constants that are multiples, −127 to 127, of one step in int8, and unpack them on use.

    No bit of what the graph computes changes.

    Args:
        model: As the utilities of LiteRT read it; it is changed in place.
    """
    (graph,) = model.subgraphs
    unpacked: dict[int, int] = {}
    operators = []
    for operator in graph.operators:
        for place, index in enumerate(operator.inputs):
            if index not in unpacked and index >= 0:
                steps = _steps(model, graph.tensors[index])
                if steps is None:
                    continue
                unpacked[index] = len(graph.tensors)
                operators.append(_unpacking(model, index, *steps))
            operator.inputs[place] = unpacked.get(index, index)
        operators.append(operator)
    graph.operators = operators
    used = {part.buffer for part in (*graph.tensors, *(model.metadata or ()))}
    for index, buffer in enumerate(model.buffers):
        if index not in used:
            buffer.data = None


def _steps(model: Any, tensor: Any) -> tuple[np.ndarray, np.float32] | None:
    """A constant as int8 and its step; None where it is no such constant."""
    data = model.buffers[tensor.buffer].data
    if data is None or tensor.type != need("ai_edge_litert.schema_py_generated").TensorType.FLOAT32:
        return None
    values = np.frombuffer(bytes(data), np.float32)
    step = np.float32(np.abs(values).max(initial=0) / np.float32(127))
    if len(values) < _WORTH or not step > 0:
        return None
    steps = np.rint(values / step).astype(np.int8)
    return (steps, step) if (steps.astype(np.float32) * step == values).all() else None


def _unpacking(model: Any, index: int, steps: np.ndarray, step: np.float32) -> Any:
    """Turn a float32 constant into int8; the operator that makes a new float32 tensor, the last, of it."""
    schema = need("ai_edge_litert.schema_py_generated")
    (graph,) = model.subgraphs
    packed, real, buffer = graph.tensors[index], schema.TensorT(), schema.BufferT()
    real.shape, real.type, real.hasRank, real.buffer = packed.shape, packed.type, packed.hasRank, 0
    graph.tensors.append(real)
    buffer.data = steps.view(np.uint8)
    model.buffers.append(buffer)
    packed.buffer, packed.type = len(model.buffers) - 1, schema.TensorType.INT8
    packed.quantization = schema.QuantizationParametersT()
    packed.quantization.scale, packed.quantization.zeroPoint = np.array([step]), np.zeros(1, np.int64)
    operator = schema.OperatorT()
    operator.opcodeIndex = opcode(model, schema.BuiltinOperator.DEQUANTIZE)
    operator.inputs = np.array([index], np.int32)
    operator.outputs = np.array([len(graph.tensors) - 1], np.int32)
    operator.builtinOptionsType = schema.BuiltinOptions.DequantizeOptions
    operator.builtinOptions = schema.DequantizeOptionsT()
    return operator


def kind(code: Any) -> int:
    """Which operator of TFLite's schema an entry of a model's list means: old files use another field."""
    return int(max(code.builtinCode, code.deprecatedBuiltinCode))


def opcode(model: Any, wanted: int) -> int:
    """Where a model lists a kind of operator; it is added where it was not."""
    kinds = [kind(code) for code in model.operatorCodes]
    if wanted in kinds:
        return kinds.index(wanted)
    code = need("ai_edge_litert.schema_py_generated").OperatorCodeT()
    code.builtinCode, code.deprecatedBuiltinCode, code.version = wanted, min(wanted, 127), 1
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1

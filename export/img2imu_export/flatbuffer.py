"""Tidy a TFLite flatbuffer: float outputs, weights inside, no names but those of the input and outputs."""

from __future__ import annotations

from typing import Any

from img2imu_export.extras import need


def tidy(content: bytes) -> bytes:
    """Rewrite a TFLite file.

    The quantiser puts the weights of larger models behind the flatbuffer, where TensorFlow Lite Micro and a
    zip reader do not look; here they go inside. Quantised outputs get a DEQUANTIZE each: the quantiser cannot
    leave an output float that also feeds a quantised layer, as the embedding does. Names of inner tensors,
    a third of a small file, go.

    Args:
        content: A TFLite file with one subgraph and one signature.

    Returns:
        The same network; the same bytes for the same argument.
    """
    utils = need("ai_edge_litert.tools.flatbuffer_utils")
    schema = need("ai_edge_litert.schema_py_generated")
    model = utils.read_model_from_bytearray(bytearray(content))
    (graph,), (signature,) = model.subgraphs, model.signatureDefs
    for place, index in enumerate(list(graph.outputs)):
        if graph.tensors[index].type == schema.TensorType.INT8:
            graph.outputs[place] = _dequantised(model, int(index), schema)
            for output in signature.outputs:
                if output.tensorIndex == index:
                    output.tensorIndex = graph.outputs[place]
    for tensor in graph.tensors:
        tensor.name = None
    for named in (*signature.inputs, *signature.outputs):
        graph.tensors[named.tensorIndex].name = named.name
    return bytes(utils.convert_object_to_bytearray(model))


def _dequantised(model: Any, index: int, schema: Any) -> int:
    """Add a DEQUANTIZE of a tensor at the end of the graph; returns the index of the float tensor."""
    graph = model.subgraphs[0]
    tensor, operator = schema.TensorT(), schema.OperatorT()
    tensor.shape, tensor.hasRank = graph.tensors[index].shape, True
    tensor.type = schema.TensorType.FLOAT32
    graph.tensors.append(tensor)
    operator.opcodeIndex = _opcode(model, schema)
    operator.inputs, operator.outputs = [index], [len(graph.tensors) - 1]
    graph.operators.append(operator)
    return len(graph.tensors) - 1


def _opcode(model: Any, schema: Any) -> int:
    """Index of DEQUANTIZE (version 2: from int8) among the model's operator codes, added if it lacks."""
    wanted = schema.BuiltinOperator.DEQUANTIZE
    for index, code in enumerate(model.operatorCodes):
        if code.builtinCode == wanted:
            return index
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = wanted
    code.version = 2
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1

"""Tidy a TFLite flatbuffer: weights inside, no names but those of the input and outputs."""

from __future__ import annotations

from img2imu_export.extras import need


def tidy(content: bytes) -> bytes:
    """Rewrite a TFLite file.

    The quantiser puts the weights of larger models behind the flatbuffer, where TensorFlow Lite Micro and a
    zip reader do not look; here they go inside. Names of inner tensors, many of them longer than what they
    name, go.

    Args:
        content: A TFLite file with one subgraph and one signature.

    Returns:
        The same network; the same bytes for the same argument.
    """
    utils = need("ai_edge_litert.tools.flatbuffer_utils")
    model = utils.read_model_from_bytearray(bytearray(content))
    (graph,), (signature,) = model.subgraphs, model.signatureDefs
    for tensor in graph.tensors:
        tensor.name = None
    for named in (*signature.inputs, *signature.outputs):
        graph.tensors[named.tensorIndex].name = named.name
    return bytes(utils.convert_object_to_bytearray(model))

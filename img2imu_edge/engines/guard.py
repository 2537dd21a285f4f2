"""Guard: what no graph of ours has, refused before an engine sees it.

Engines check most of what they read, but some of what they may do is wrong for a file from anyone: fetch
weights from another file, run code of a plug-in, or loop for ever.
"""

from __future__ import annotations

import struct

from img2imu_edge.errors import ModelError
from img2imu_edge.protobuf import BYTES, VARINT, fields, read_varint

_MOST_FIELDS = 1 << 18
"""Fields of a whole graph: a few for each node and each weight, so some thousand."""

_DOMAINS = (b"", b"ai.onnx", b"ai.onnx.ml", b"com.microsoft")
"""Where the operators of ONNX, and those that ONNX Runtime's quantiser adds, are defined."""

# The messages of onnx.proto that can hold tensors or graphs: by field number, what is inside.
_MESSAGES = {
    "model": {7: "graph", 25: "function", 20: "training"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 10: "tensor", 6: "subgraph", 11: "subgraph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {13: "external"},
}
_REFUSED = {
    "external": "has weights in another file",
    "subgraph": "has branches or loops",
    "function": "defines functions",
    "training": "holds a training graph",
}
_NODE_DOMAIN, _TENSOR_LOCATION = 7, 14

_TFLITE_EXTERNAL = {20: "external_buffer_groups", 22: "external_buffers"}
"""Vtable slots of the table `Model` of LiteRT's schema."""


def check_onnx(graph: bytes) -> None:
    """Refuse an ONNX graph that reaches outside itself, or whose running time is not fixed.

    Raises:
        ModelError: If it has weights in other files, operators of a plug-in, branches, loops, functions or a
            training graph, or is damaged.
    """
    count = 0
    waiting = [("model", 0, len(graph))]
    while waiting:
        message, at, end = waiting.pop()
        for found in fields(graph, at, end):
            count += 1
            if count > _MOST_FIELDS:
                raise ModelError("its graph has more parts than any network of ours")
            inside = _MESSAGES[message].get(found.number) if found.wire == BYTES else None
            if inside in _REFUSED:
                _refuse(_REFUSED[inside])
            if inside:
                waiting.append((inside, found.inside, found.end))
            elif (message, found.number, found.wire) == ("node", _NODE_DOMAIN, BYTES):
                _check_domain(graph[found.inside : found.end])
            elif (message, found.number, found.wire) == ("tensor", _TENSOR_LOCATION, VARINT):
                _check_location(read_varint(graph, found.inside, found.end)[0])


def _check_domain(domain: bytes) -> None:
    if domain not in _DOMAINS:
        _refuse(f"needs the plug-in {domain[:60].decode('utf-8', 'replace')!r}")


def _check_location(location: int) -> None:
    if location:
        _refuse(_REFUSED["external"])


def check_tflite(graph: bytes) -> None:
    """Refuse a TFLite graph with weights in another file; the interpreter verifies the rest as it reads.

    Raises:
        ModelError: If it has such weights, or is damaged.
    """
    try:
        (root,) = struct.unpack_from("<I", graph)
        (back,) = struct.unpack_from("<i", graph, root)
        (size,) = struct.unpack_from("<H", graph, root - back) if root >= back else (0,)
        slots = struct.unpack_from(f"<{size // 2}H", graph, root - back)
    except struct.error as error:
        raise ModelError("it is no TFLite file, or damaged") from error
    if any(slots[slot // 2] for slot in _TFLITE_EXTERNAL if slot < size):
        _refuse(_REFUSED["external"])


def _refuse(what: str) -> None:
    raise ModelError(f"its graph {what}, which no model of ours does; it is not run")

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

_TFLITE_SUBGRAPHS, _TFLITE_EXTERNAL = 8, (20, 22)
"""Places in the vtable of `Model` in LiteRT's schema: subgraphs; external buffers and their groups."""


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
    """Refuse a TFLite graph with weights in another file, or with branches or loops, which are subgraphs.

    The interpreter verifies the rest as it reads.

    Raises:
        ModelError: If it has any of these, or is damaged.
    """
    try:
        (root,) = struct.unpack_from("<I", graph)
        (back,) = struct.unpack_from("<i", graph, root)
        (size,) = struct.unpack_from("<H", graph, root - back) if root >= back else (0,)
        slots = struct.unpack_from(f"<{size // 2}H", graph, root - back)
        at = root + slots[_TFLITE_SUBGRAPHS // 2]
        (subgraphs,) = struct.unpack_from("<I", graph, at + struct.unpack_from("<I", graph, at)[0])
    except (struct.error, IndexError) as error:
        raise ModelError("it is no TFLite file, or damaged") from error
    if any(slots[slot // 2] for slot in _TFLITE_EXTERNAL if slot // 2 < len(slots)):
        _refuse(_REFUSED["external"])
    if subgraphs != 1:
        _refuse(_REFUSED["subgraph"])


def _refuse(what: str) -> None:
    raise ModelError(f"its graph {what}, which no model of ours does; it is not run")

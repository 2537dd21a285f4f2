"""Trained network to float ONNX: batch normalisation folded, nothing in it that inference does not need."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from img2imu_edge.card import Form
from img2imu_edge.errors import ModelError
from img2imu_export.converting import converting
from img2imu_export.extras import need
from img2imu_export.quiet import quiet
from img2imu_export.targets import Converted, OneFile, Options, Trained

OPSET = 18
"""ONNX operator set: what the exporter writes without converting, and all supported runtimes read."""

_SCOPES = "pkg.torch.onnx.name_scopes"
"""Where the exporter keeps the modules that a node comes from, outermost first, then the node's own name."""


_DEPTH = 2
"""Dots in the names that an error lists."""


@dataclass(frozen=True)
class OnnxFloat(OneFile):
    """float32 ONNX."""

    suffix: str = "-fp32.onnx"
    exact: bool = True
    kind: Literal["onnx", "tflite"] = "onnx"

    def convert(self, trained: Trained, options: Options) -> Converted:
        """The network as float32 ONNX."""
        return Converted(to_bytes(graph_in_form(prune(to_onnx(trained)), trained, options.form)))


def to_onnx(trained: Trained) -> Any:
    """The network as an `onnx.ModelProto` from pictures with float32 weights, any batch size; not pruned.

    Raises:
        MissingExtraError: If torch, onnx or onnxscript is not installed.
        ModelError: If the exporter does not know one of the network's operators.
    """
    return _traced(trained.net, trained.pictures.shape[1:], "picture", ["logits", "embedding"])


def graph_in_form(model: Any, trained: Trained, form: Form) -> Any:
    """A graph from pictures, with the front-end joined on before it where it is to take samples.

    What stands behind the front-end is not touched, and so computes what it does from pictures, to the bit.

    Args:
        model: From `to_onnx`, pruned, quantised or not.
        trained: Its card describes the front-end.
        form: What the graph is to take.

    Raises:
        ModelError: As `to_onnx`.
    """
    if form == "picture":
        return model
    onnx, compose = need("onnx"), need("onnx.compose")
    drawn = compose.add_prefix(front_end(trained), "front/", rename_inputs=False, rename_outputs=False)
    # Where the quantiser needed a newer IR, or operators of another domain, the front-end may say so as well.
    drawn.ir_version = model.ir_version
    with converting("onnx.compose"):
        merged = compose.merge_models(drawn, model, io_map=[("picture", "picture")])
    versions = {entry.domain: entry.version for entry in merged.opset_import}
    del merged.opset_import[:]  # the merger lists what both need twice
    merged.opset_import.extend(onnx.helper.make_opsetid(*entry) for entry in versions.items())
    onnx.checker.check_model(merged)
    return prune(merged)


def front_end(trained: Trained) -> Any:
    """The front-end that a network's card describes, as a pruned `onnx.ModelProto` from samples to pictures.

    Raises:
        ModelError: As `to_onnx`.
    """
    module = need("img2imu_export.frontend").front_end(trained)
    return prune(_traced(module, trained.samples.shape[1:], "samples", ["picture"]))


def layers(model: Any) -> dict[str, list[str]]:
    """The nodes that each module of the network became, in the graph's order.

    A module has the nodes of all modules within it: `backbone.stages.0` those of `backbone.stages.0.0` too.

    Args:
        model: From `to_onnx`, before `prune` takes the exporter's notes away.
    """
    found: dict[str, list[str]] = {}
    for node in model.graph.node:
        notes = {note.key: note.value for note in node.metadata_props}
        modules = [name for name in ast.literal_eval(notes.get(_SCOPES, "[]"))[:-1] if name]
        # The exporter books a convolution with the normalisation that it folds into it; weights know better.
        owners = [name.removesuffix(".weight") for name in node.input if name.endswith(".weight")]
        for name in dict.fromkeys([*modules, *owners]):
            found.setdefault(name, []).append(node.name)
    return found


def nodes_of(model: Any, modules: Sequence[str], kinds: Sequence[str]) -> list[str]:
    """Names of the nodes that these modules of the network became.

    Args:
        model: As for `layers`.
        modules: As `layers` names them.
        kinds: Only modules with such nodes count.

    Raises:
        ModelError: If the network has no such module; the message lists those that it has.
    """
    if not modules:
        return []
    matter = {node.name for node in model.graph.node if node.op_type in kinds}
    known = {name: nodes for name, nodes in layers(model).items() if matter & set(nodes)}
    unknown = [name for name in modules if name not in known]
    if unknown:
        raise ModelError(
            f"the network has no layer {unknown[0]!r} to keep in float; its layers, and what lies within "
            f"them, are: {', '.join(name for name in known if name.count('.') <= _DEPTH)}"
        )
    return [node for name in modules for node in known[name]]


def prune(model: Any) -> Any:
    """Strip a `ModelProto` of all that inference does not need, in place.

    The exporter keeps the source line behind every node, and so paths of the machine that it ran on; shapes
    within the graph follow from its input.
    """
    graph = model.graph
    for part in (model, graph, *graph.node, *graph.initializer, *graph.input, *graph.output):
        part.ClearField("doc_string")
        part.ClearField("metadata_props")
    graph.ClearField("value_info")
    return model


def to_bytes(model: Any) -> bytes:
    """A `ModelProto` as a file; the same model gives the same bytes."""
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def _traced(module: Any, shape: tuple[int, ...], given: str, found: list[str]) -> Any:
    """A torch module with one input of (batch, *shape) as a `ModelProto`."""
    torch, _ = need("torch"), need("onnxscript")
    with quiet(), converting("the ONNX exporter of torch"):
        program = torch.onnx.export(
            module,
            # An example of 2 windows, for the exporter takes a dimension of 1 as fixed.
            (torch.zeros(2, *shape),),
            dynamo=True,
            opset_version=OPSET,
            input_names=[given],
            output_names=found,
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            verbose=False,
        )
    return program.model_proto

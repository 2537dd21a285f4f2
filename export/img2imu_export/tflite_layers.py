"""Layers of a TFLite file by the network's names, and what quantisation did to each."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from img2imu_edge.card import Form
from img2imu_edge.errors import ModelError
from img2imu_export.extras import need
from img2imu_export.flatbuffer import kind
from img2imu_export.layers import sqnr_db
from img2imu_export.targets import Layer

_LAYER = re.compile(r"backbone\.stages\.\d+|project")
"""Modules of the network that hold what is quantised, and so are worth telling apart."""

_DEPTH = 2
"""Dots in the longest name that an error lists."""


def module(tensor: str) -> str:
    """The network's module that a tensor comes from, such as `backbone.stages.0.2`; empty for none of them.

    The converter names a tensor by the path of modules that made it, each as `package.Class_attribute`, and
    where it fused several operators by several paths, the last operator's first.

    Args:
        tensor: Its name before `tidy` takes the names away.
    """
    path = tensor.split(";")[0].split("/")[1:]
    names = [step.rpartition(".")[2].partition("_")[2] for step in path]
    while names and names[0] == "net":
        names = names[1:]
    return ".".join(names)


def scope(content: bytes, layer: str, kinds: Sequence[str]) -> str:
    """A regular expression for the tensors that a layer of the network makes.

    Args:
        content: From `to_tflite`.
        layer: A module, such as `backbone.stages.0`.
        kinds: Only modules with operators of these kinds count.

    Raises:
        ModelError: If the network has no such module; the message lists those that it has.
    """
    utils = need("ai_edge_litert.tools.flatbuffer_utils")
    schema = need("ai_edge_litert.schema_py_generated").BuiltinOperator
    model = utils.read_model_from_bytearray(bytearray(content))
    wanted = {getattr(schema, name) for name in kinds}
    known: dict[str, None] = {}
    for operator in model.subgraphs[0].operators:
        if kind(model.operatorCodes[operator.opcodeIndex]) in wanted:
            parts = module(_name(model.subgraphs[0].tensors[operator.outputs[0]])).split(".")
            known |= dict.fromkeys(".".join(parts[: n + 1]) for n in range(len(parts)) if parts[0])
    if layer not in known:
        raise ModelError(
            f"the network has no layer {layer!r} to keep in float; its layers, and what lies within "
            f"them, are: {', '.join(name for name in known if name.count('.') <= _DEPTH)}"
        )
    steps = "/".join(f"[^/;]*_{re.escape(part)}" for part in layer.split("."))
    return rf"_net/{steps}(?:[/;]|$)"


def layers(exact: bytes, quantised: bytes, form: Form, shown: NDArray[np.float32]) -> tuple[Layer, ...]:
    """Layers of a quantised TFLite file against those of the float one that it was made of.

    Args:
        exact: The float file, with its names.
        quantised: The file that the quantiser made of it; it keeps names.
        form: The graphs' input.
        shown: (windows, …) of it.

    Returns:
        For each layer the ratio of its last tensor, which counts all noise from the picture on.
    """
    before, after = _Tapped(exact, form), _Tapped(quantised, form)
    places: dict[str, str] = {}
    for name in before.places:
        found = _LAYER.match(module(name))
        if found and name in after.places:
            places[found[0]] = name
    # Tensors are listed in the order of the operators that make them, so that a layer's last one stays.
    values = [(before.run(window, places), after.run(window, places)) for window in shown]
    return tuple(
        Layer(
            layer, sqnr_db(np.stack([b[place] for b, _ in values]), np.stack([a[place] for _, a in values]))
        )
        for layer, place in places.items()
    )


class _Tapped:
    """An interpreter that keeps what is computed on the way.

    Attributes:
        places: By name, the tensors that operators make, in the graph's order.
    """

    def __init__(self, content: bytes, form: Form) -> None:
        litert = need("ai_edge_litert.interpreter")
        self._form = form
        self._interpreter = litert.Interpreter(
            model_content=content,
            num_threads=1,
            experimental_preserve_all_tensors=True,
            experimental_op_resolver_type=litert.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        )
        self._interpreter.allocate_tensors()
        self._run = self._interpreter.get_signature_runner()
        details = {detail["index"]: detail for detail in self._interpreter.get_tensor_details()}
        made = [index for op in self._interpreter._get_ops_details() for index in op["outputs"]]
        self.places = {details[index]["name"]: details[index] for index in made}

    def run(self, window: NDArray[np.float32], names: dict[str, str]) -> dict[str, NDArray[np.float32]]:
        """What these tensors hold for one window, as real numbers."""
        self._run(**{self._form: window[None]})
        return {name: self._real(self.places[name]) for name in names.values()}

    def _real(self, detail: dict[str, Any]) -> NDArray[np.float32]:
        found: NDArray[np.float32] = self._interpreter.get_tensor(detail["index"]).astype(np.float32)
        if detail["dtype"] == np.float32:
            return found
        scale, zero = detail["quantization"]
        return (found - np.float32(zero)) * np.float32(scale)


def _name(tensor: Any) -> str:
    return tensor.name.decode() if tensor.name else ""

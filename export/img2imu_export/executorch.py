"""Trained network to ExecuTorch, float and int8, for XNNPACK: the CPU kernels of phones and of Linux on ARM.

In int8, convolutions have fixed scales from real windows; the projection's input gets its scale as it
comes, for XNNPACK has no fixed ones with a float output, and the embedding, whose distances decide what is
unknown, is not to be rounded. Statistics, class scores and a front-end in the graph stay float32.
"""

from __future__ import annotations

import functools
import io
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any

import numpy as np

from img2imu_edge.card import Form, ModelCard
from img2imu_edge.container import CARD, GOLDEN
from img2imu_edge.engines import Array, Engine, Output
from img2imu_edge.errors import MissingExtraError, ModelError
from img2imu_edge.golden import Golden
from img2imu_export.extras import need
from img2imu_export.quiet import quiet
from img2imu_export.targets import Converted, Options, Trained

_EXTRA = "executorch"
_ENDINGS = {CARD: ".json", GOLDEN: ".npz"}


@dataclass(frozen=True)
class _ProgramFile:
    """Base of both: a .pte file, with a zip of card and golden vectors behind the program.

    Attributes:
        suffix: As in `Target`.
        exact: As in `Target`.
    """

    suffix: str
    exact: bool

    def engine(self, graph: bytes) -> Engine | None:
        """ExecuTorch's runtime, where it is installed."""
        try:
            return ExecuTorchEngine(graph)
        except MissingExtraError:
            return None

    def files(self, name: str, graph: bytes, card: ModelCard, golden: Golden) -> dict[str, bytes]:
        """One file: the runtime reads a program from the front, unzippers find the rest from the back."""
        file = io.BytesIO(graph)
        with zipfile.ZipFile(file, "a") as archive:
            for attachment, value in ((CARD, card.to_json().encode("utf-8")), (GOLDEN, golden.to_bytes())):
                archive.writestr(zipfile.ZipInfo(attachment + _ENDINGS[attachment]), value)
        return {f"{name}{self.suffix}": file.getvalue()}


@dataclass(frozen=True)
class ExecuTorchFloat(_ProgramFile):
    """float32 ExecuTorch."""

    suffix: str = "-fp32.pte"
    exact: bool = True

    def convert(self, trained: Trained, options: Options) -> Converted:
        """The network as a float32 program.

        Raises:
            MissingExtraError: If torch or executorch is not installed.
        """
        net = need("img2imu_export.frontend").in_form(trained, options.form)
        return Converted(to_executorch(net, trained.shown(options.form)[:1]))


@dataclass(frozen=True)
class ExecuTorchInt8(_ProgramFile):
    """int8 ExecuTorch with float32 input and outputs."""

    suffix: str = ".pte"
    exact: bool = False

    def convert(self, trained: Trained, options: Options) -> Converted:
        """The network as an int8 program.

        Raises:
            MissingExtraError: If torch or executorch is not installed.
        """
        smooth, in_form = need("img2imu_export.smooth").smooth, need("img2imu_export.frontend").in_form
        smoothed = replace(trained, net=smooth(trained.net, trained.pictures))
        windows = trained.shown(options.form)
        net = quantise(in_form(smoothed, options.form), windows, options.keep_float)
        how = (
            "int8: XNNPACK, per-channel weights of 8 bits, static int8 activations, "
            f"min-max of {len(windows)} training windows; the projection's input scaled as it comes; "
            "statistics and class scores float32"
        )
        kept = f"; {', '.join(options.keep_float)} too" if options.keep_float else ""
        return Converted(to_executorch(net, windows[:1]), how + kept)


def to_executorch(net: Any, window: Array) -> bytes:
    """A torch module as a program for XNNPACK.

    Args:
        net: Windows to logits and embedding.
        window: (1, …) an example.

    Raises:
        MissingExtraError: If torch or executorch is not installed.
    """
    torch = need("torch")
    with quiet():
        exir = need("executorch.exir", _EXTRA)
        part = need("executorch.backends.xnnpack.partition.xnnpack_partitioner", _EXTRA)
        exported = torch.export.export(net, (torch.tensor(window),))
        lowered = exir.to_edge_transform_and_lower(exported, partitioner=[part.XnnpackPartitioner()])
        content: bytes = lowered.to_executorch().buffer
    return content


def quantise(net: Any, calibration: Array, keep_float: Iterable[str] = ()) -> Any:
    """Quantise the backbone and the projection of a torch module.

    Args:
        net: A network from `smooth`, with or without its front-end.
        calibration: (windows, …) that show the range of every value.
        keep_float: Layers to leave alone, by their names in the network.

    Raises:
        MissingExtraError: If torch or executorch is not installed.
    """
    torch = need("torch")
    with quiet():
        recipe = need("executorch.backends.xnnpack.quantizer.xnnpack_quantizer", _EXTRA)
        pt2e, composable = (
            need("torchao.quantization.pt2e", _EXTRA),
            need("torchao.quantization.pt2e.quantizer"),
        )
        steps = need("torchao.quantization.pt2e.quantize_pt2e", _EXTRA)
        static = recipe.get_symmetric_quantization_config(is_per_channel=True)
        # The true range: the default, a histogram's, cuts off what is rare, and differs from run to run.
        seen = replace(static.input_activation, observer_or_fake_quant_ctr=pt2e.MinMaxObserver)
        static = replace(static, input_activation=seen, output_activation=seen)
        dynamic = recipe.get_symmetric_quantization_config(is_per_channel=True, is_dynamic=True)
        aten, kept = torch.ops.aten, tuple(keep_float)
        # Nodes are filtered here, and not by set_module_name: folded biases have lost their module, and with
        # them every convolution would silently stay float.
        backbone = recipe.XNNPACKQuantizer().set_global(static)
        backbone.set_filter_function(
            functools.partial(
                _within,
                "backbone",
                kept,
                (aten.conv2d.default, aten.relu.default, aten.relu_.default, aten.add.Tensor),
            )
        )
        projection = recipe.XNNPACKQuantizer().set_operator_type(aten.linear.default, dynamic)
        projection.set_filter_function(functools.partial(_within, "project", kept, (aten.linear.default,)))
        windows = torch.tensor(calibration)
        module = torch.export.export(net, (windows[:1],)).module()
        prepared = steps.prepare_pt2e(module, composable.ComposableQuantizer([backbone, projection]))
        with torch.no_grad():
            for window in windows.split(1):
                prepared(window)
        return steps.convert_pt2e(prepared)


def _within(layer: str, keep_float: tuple[str, ...], kinds: tuple[Any, ...], node: Any) -> bool:
    """Whether a node of a torch graph is to be quantised.

    Args:
        layer: Part of the network that it must belong to.
        keep_float: Layers that it must not belong to.
        kinds: Operators; a weight is asked about too, and belongs to its operator.
        node: A `torch.fx.Node`.
    """
    if node.op == "get_attr":
        return True
    places = [place.removeprefix("net.") for place, _ in node.meta.get("nn_module_stack", {}).values()]
    return node.target in kinds and layer in places and not set(keep_float) & set(places)


class ExecuTorchEngine:
    """A network in a .pte file, run by ExecuTorch's Python runtime.

    Args:
        graph: The file's bytes; what comes behind the program is not looked at.

    Raises:
        MissingExtraError: If executorch is not installed.
        ModelError: If the file is damaged or not a model of ours.
    """

    name: str = "ExecuTorch"

    def __init__(self, graph: bytes) -> None:
        with quiet():
            runtime = need("executorch.runtime", _EXTRA)
        self._tensor: Callable[[Any], Any] = need("torch").tensor  # a copy: ours may be read-only
        try:
            self._program: Any = runtime.Runtime.get().load_program(graph)
            self._method: Any = self._program.load_method("forward")
        except RuntimeError as error:
            raise ModelError(f"ExecuTorch cannot load it: {error}") from error
        about = self._method.metadata
        inputs = [tuple(about.input_tensor_meta(i).sizes()) for i in range(about.num_inputs())]
        outputs = [tuple(about.output_tensor_meta(i).sizes()) for i in range(about.num_outputs())]
        if len(inputs) != 1 or len(outputs) != 2 or len(inputs[0]) not in (3, 4):
            raise ModelError(f"it is an ExecuTorch file, but not one of ours: it maps {inputs} to {outputs}")
        # A program's inputs have no names: a picture has one dimension more than samples.
        self.form: Form = "picture" if len(inputs[0]) == 4 else "samples"
        self.input_shape: tuple[int, ...] = inputs[0][1:]
        self.classes, self.embedding_size = outputs[0][-1], outputs[1][-1]
        self._lock = Lock()  # a method holds its tensors: one run at a time

    def run(self, window: Array) -> Output:
        """Run the network on one picture or one window of samples, float32."""
        with self._lock:
            logits, embedding = self._method.execute([self._tensor(window[None])])
            return Output(logits[0].numpy().copy(), embedding[0].numpy().copy())

    def run_many(self, windows: Array) -> Output:
        """Run it on several, one after the other: the program takes one."""
        found = [self.run(window) for window in windows]
        return Output(np.stack([o.logits for o in found]), np.stack([o.embedding for o in found]))

"""Ways to make decisions of samples, behind one interface; each is loaded by a module of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, distribution
from typing import Literal, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from benchmarks.alternatives.files import FILES
from img2imu_edge.samples import SampleBlock

Array = NDArray[np.float32]

DRIFT = 1 + 50e-6
"""Times of a device whose clock is 50 ppm slow, a quartz' tolerance: its samples are off the model's grid."""


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What a way says of the latest window.

    Attributes:
        label: The class that it decides for; None for "unknown".
        logits: (classes,) what the network said, where the way shows it.
    """

    label: str | None
    logits: Array | None = None


class Way(Protocol):
    """Samples in, an answer out: all that the benchmark knows of a way.

    Attributes:
        learned_s: Seconds of its making that were learning; a user would have learned beforehand.
    """

    learned_s: float

    def push(self, block: SampleBlock) -> Answer | None:
        """Take in the samples of one hop; None until the first window is full."""
        ...


Kind = Literal["ours", "same", "other"]
"""Ours; the same network by other means; another method."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A way's place in tables.

    Attributes:
        name: For programs.
        words: For people.
        kind: What is compared.
        network: The network's size and precision, or what stands for it.
        loader: Module of this package and callable in it that makes the way.
        argument: What the callable is given, if anything.
        needs: Packages that have to be installed for it, beside NumPy.
    """

    name: str
    words: str
    kind: Kind
    network: str
    loader: str
    argument: str = ""
    needs: tuple[str, ...] = ("onnxruntime",)


_OURS = "incremental:Ours"
_LITERT = ("ai-edge-litert",)

WAYS = (
    Entry("ours-tiny", "img2imu-edge, ONNX", "ours", "tiny, int8", _OURS, "tiny-int8"),
    Entry("ours-tiny-tflite", "img2imu-edge, TFLite", "ours", "tiny, int8", _OURS, "tiny-tflite", _LITERT),
    Entry("ours-tiny-fp32", "img2imu-edge, ONNX", "ours", "tiny, float32", _OURS, "tiny-fp32"),
    Entry("ours-drift", "img2imu-edge, adrift", "ours", "tiny, int8", "incremental:Drifting", "tiny-int8"),
    Entry("ours-small", "img2imu-edge, ONNX", "ours", "small, int8", _OURS, "small-int8"),
    Entry("ours-small-tflite", "img2imu-edge, TFLite", "ours", "small, int8", _OURS, "small-tflite", _LITERT),
    Entry("ours-small-fp32", "img2imu-edge, ONNX", "ours", "small, float32", _OURS, "small-fp32"),
    Entry("graph", "front-end in the graph", "same", "tiny, int8", "windowed:in_graph", "samples-int8"),
    Entry(
        "graph-fp32", "front-end in the graph", "same", "tiny, float32", "windowed:in_graph", "samples-fp32"
    ),
    Entry(
        "chunks", "growing arrays, as openWakeWord", "same", "tiny, int8", "incremental:Chunks", "tiny-int8"
    ),
    Entry("anew", "every picture anew, NumPy", "same", "tiny, int8", "windowed:anew", "tiny-int8"),
    Entry(
        "plain",
        "plain: SciPy, Pillow, ONNX",
        "same",
        "tiny, float32",
        "windowed:plain",
        needs=("onnxruntime", "scipy", "pillow"),
    ),
    Entry("torch", "PyTorch, eager", "same", "tiny, float32", "torched:eager", needs=("torch",)),
    Entry(
        "torch-frozen",
        "PyTorch, traced and frozen",
        "same",
        "tiny, float32",
        "torched:frozen",
        needs=("torch",),
    ),
    Entry("minirocket", "MiniRocket (aeon)", "other", "ridge", "classical:minirocket", needs=("aeon",)),
    Entry(
        "forest",
        "167 features a sensor",
        "other",
        "random forest",
        "classical:forest",
        needs=("scikit-learn",),
    ),
)
"""All of them, in the order of tables."""


def find(name: str) -> Entry:
    """A way by its name.

    Raises:
        KeyError: If there is none.
    """
    return {entry.name: entry for entry in WAYS}[name]


def possible(entry: Entry) -> bool:
    """Whether all that a way needs is here."""
    try:
        for package in entry.needs:
            distribution(package)
    except PackageNotFoundError:
        return False
    return entry.argument not in FILES or FILES[entry.argument].is_file()


def load(entry: Entry) -> Way:
    """Import what a way needs, and make it."""
    module, attribute = entry.loader.split(":")
    make = cast(Callable[..., Way], getattr(import_module(f"benchmarks.alternatives.{module}"), attribute))
    return make(entry.argument) if entry.argument else make()

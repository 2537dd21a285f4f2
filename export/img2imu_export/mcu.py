"""A trained network for a microcontroller: int8 for TensorFlow Lite Micro, as a file and as C source."""

from __future__ import annotations

from dataclasses import dataclass, replace

from img2imu_edge.card import ModelCard
from img2imu_edge.engines import Engine
from img2imu_edge.golden import Golden
from img2imu_export import micro
from img2imu_export.c_source import Micro, source
from img2imu_export.litert import LiteRtInt8
from img2imu_export.targets import Converted, OneFile, Options, Trained

_MARGIN = 8192
"""Bytes beside what the reference kernels need: CMSIS-NN's convolutions take 2 to 5 kB of scratch here."""


@dataclass(frozen=True)
class Mcu(LiteRtInt8):
    """int8 TFLite of operators that TensorFlow Lite Micro has, and the same as a C array with its header.

    The interpreter that runs on a microcontroller also runs here: what is compared with the network, and how
    much memory the header asks for, are its own. Where it is not installed, nothing is compared, and the
    header says that memory was not measured.
    """

    suffix: str = "-mcu.tflite"

    def convert(self, trained: Trained, options: Options) -> Converted:
        """The network as int8 TFLite for microcontrollers."""
        converted = super().convert(trained, options)
        graphs = [micro.fit(converted.graph, thrifty) for thrifty in (False, True)]
        # The order that is smaller on paper may be larger once the interpreter has laid it out: it decides.
        return replace(converted, graph=min(graphs, key=micro.arena) if micro.installed() else graphs[0])

    def engine(self, graph: bytes) -> Engine | None:
        """TensorFlow Lite Micro; None where it is not installed."""
        return micro.MicroEngine(graph) if micro.installed() else None

    def files(self, name: str, graph: bytes, card: ModelCard, golden: Golden) -> dict[str, bytes]:
        """A file with card and golden vectors inside, a header and a C file."""
        needs = Micro(
            operators=micro.operators(graph),
            arena=micro.arena(graph) if micro.installed() else None,
            margin=_MARGIN,
        )
        return {
            **OneFile.files(self, name, graph, card, golden),
            **source(name, graph, card, golden, needs),
        }

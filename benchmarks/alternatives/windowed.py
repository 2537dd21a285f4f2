"""Ways that keep the last window of samples, and look at all of it anew for each decision."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.alternatives.files import FILES
from benchmarks.alternatives.ways import Answer, Array, Way
from img2imu_edge.benchmark import BENCH_MODEL, plain_way
from img2imu_edge.model import load_model
from img2imu_edge.samples import SampleBlock
from img2imu_edge.spectrogram import stack


class Rolling:
    """The last window in one array, joined with `concatenate` and cut for each chunk.

    Args:
        look: A window (samples, channels) to an answer.
        samples: Of a window.
        learned_s: Seconds that `look` learned for.
    """

    def __init__(self, look: Callable[[Array], Answer], samples: int, learned_s: float = 0.0) -> None:
        self._look, self._length, self.learned_s = look, samples, learned_s
        self._window: Array | None = None

    def push(self, block: SampleBlock) -> Answer | None:
        """Take in the samples of one hop."""
        before = block.values[:0] if self._window is None else self._window
        self._window = np.concatenate([before, block.values])[-self._length :]
        return self._look(self._window) if len(self._window) == self._length else None


def in_graph(network: str) -> Way:
    """Samples right into the graph, which draws its picture itself.

    Args:
        network: One of `FILES` whose graph takes samples.
    """
    model = load_model(FILES[network])

    def look(window: Array) -> Answer:
        logits, _ = model.engine.run(window)
        return Answer(model.card.labels[int(logits.argmax())], logits)

    return Rolling(look, model.window_samples)


def anew(network: str) -> Way:
    """Our picture and our engine, without the streaming: all columns of the window for each decision.

    Args:
        network: One of `FILES`.
    """
    model = load_model(FILES[network])
    plan = model.plan

    def look(window: Array) -> Answer:
        picture = stack(plan.stretch(plan.columns(window).transpose(1, 2, 0)))
        logits, _ = model.engine.run(np.ascontiguousarray(picture))
        return Answer(model.card.labels[int(logits.argmax())], logits)

    return Rolling(look, model.window_samples)


def plain() -> Way:
    """What one would write first; see `img2imu_edge.benchmark.plain_way`.

    Its picture is not the one that the network learned from, so that its labels mean nothing; its cost does.
    """
    model = load_model(BENCH_MODEL)
    front_end, engine = plain_way(model.engine.input_shape, model.card.input.rate)
    run: Callable[[Array], Any] = engine

    def look(window: Array) -> Answer:
        logits = run(front_end(window))[0][0]
        return Answer(model.card.labels[int(logits.argmax())], logits)

    return Rolling(look, model.window_samples)

"""Ways that keep what they have made of earlier samples: ours, and arrays grown as in openWakeWord."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

import numpy as np

from benchmarks.alternatives.files import FILES
from benchmarks.alternatives.ways import DRIFT, Answer, Array
from img2imu_edge.model import load_model
from img2imu_edge.samples import SampleBlock
from img2imu_edge.session import Session
from img2imu_edge.spectrogram import stack


class Ours:
    """A session, with all that it does beside: gaps, resampling, coverage, smoothing, "unknown".

    Args:
        network: One of `FILES`.
    """

    learned_s = 0.0

    def __init__(self, network: str) -> None:
        model = load_model(FILES[network])
        self._session = Session(model, model.card.input.rate, model.card.input.channels)

    def push(self, block: SampleBlock) -> Answer | None:
        """Take in the samples of one hop."""
        decisions = self._session.push(block)
        if not decisions or decisions[-1].status == "warming_up":
            return None
        return Answer(decisions[-1].label)


class Drifting(Ours):
    """Ours, with a device whose clock drifts: its samples are off the model's grid, and are resampled."""

    def push(self, block: SampleBlock) -> Answer | None:
        """Take in the samples of one hop."""
        return super().push(replace(block, times=block.times * DRIFT))


class Chunks:
    """Samples in a deque, made a list for each chunk; new columns joined to an array by `vstack`, then cut.

    That is how openWakeWord keeps its sound and its mel spectrogram. Only new columns are computed, by our
    formula; the network and its engine are the same as ours. Where openWakeWord starts with noise in its
    buffers, this waits for the first full window.

    Args:
        network: One of `FILES`.
    """

    learned_s = 0.0

    def __init__(self, network: str) -> None:
        self._model = load_model(FILES[network])
        spec, plan = self._model.card.input, self._model.plan
        self._samples: deque[list[float]] = deque(maxlen=2 * self._model.window_samples)
        self._columns = np.empty((0, len(spec.channels), plan.rows), np.float32)
        self._seen = self._made = 0

    def push(self, block: SampleBlock) -> Answer | None:
        """Take in the samples of one hop."""
        plan, wanted = self._model.plan, self._model.card.input.columns
        self._samples.extend(block.values.tolist())
        self._seen += len(block)
        pending = self._seen - self._made * plan.hop
        fresh: Array = np.array(list(self._samples)[-pending:], np.float32)
        columns = plan.columns(fresh)
        self._made += len(columns)
        self._columns = np.vstack([self._columns, columns])[-wanted:]
        if len(self._columns) < wanted:
            return None
        picture = np.ascontiguousarray(stack(plan.stretch(self._columns.transpose(1, 2, 0))))
        logits, _ = self._model.engine.run(picture)
        return Answer(self._model.card.labels[int(logits.argmax())], logits)

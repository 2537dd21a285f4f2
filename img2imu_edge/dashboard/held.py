"""What a wearable's latest decisions were made of, held so that one can be asked why."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from img2imu_edge.engines import Array
from img2imu_edge.model import Model
from img2imu_edge.ring import RingBuffer
from img2imu_edge.spectrogram import stack

_HELD_S = 60.0
_MOST_RUNS = 64


@dataclass(slots=True)
class _Run:
    """Samples without a hole: number of the first in the ring, its time, and how many there are."""

    first: int
    start: float
    count: int = 0


class Held:
    """The samples of the last minute of one wearable, on the model's grid.

    Args:
        model: The model whose windows they were.
    """

    def __init__(self, model: Model) -> None:
        self._model, self._rate = model, model.card.input.rate
        capacity = max(2 * model.window_samples, round(_HELD_S * self._rate))
        self._ring: RingBuffer[np.float32] = RingBuffer(
            capacity, (len(model.card.input.channels),), np.float32
        )
        self._runs: deque[_Run] = deque(maxlen=_MOST_RUNS)

    def begin(self, start: float) -> None:
        """What comes next does not continue what came before.

        Args:
            start: Device time in seconds of the next sample.
        """
        self._runs.append(_Run(self._ring.total, start))

    def add(self, samples: Array) -> None:
        """Take in samples (n, channels) of the present run, NaN where a gap was bridged."""
        samples = samples[-self._ring.capacity :]
        self._ring.append(samples)
        self._runs[-1].count += len(samples)

    def window(self, time: float) -> Array | None:
        """What the network saw when it decided on the window that ends at a time.

        Returns:
            As `Window.seen`; None if it is no longer there, or was never full.
        """
        length = self._model.window_samples
        oldest = self._ring.total - self._ring.capacity
        for run in reversed(self._runs):
            offset = (time - run.start) * self._rate
            end = run.first + round(offset) + 1 if abs(offset) <= run.count else -1
            if max(run.first, oldest) <= end - length and end <= run.first + run.count:
                return self._seen(_bridged(self._ring.view(end - length, end)))
        return None

    def _seen(self, samples: Array) -> Array:
        if self._model.card.input.form == "samples":
            return samples
        plan = self._model.plan
        picture = np.ascontiguousarray(plan.columns(samples).transpose(1, 2, 0))
        return np.ascontiguousarray(stack(plan.stretch(picture)))


def _bridged(samples: Array) -> Array:
    """A copy with straight lines across the gaps, as the session's are."""
    known, at = np.isfinite(samples[:, 0]), np.arange(len(samples))
    if known.all() or not known.any():
        return samples.copy()
    lines = [np.interp(at, at[known], axis[known]) for axis in samples.T]
    return np.stack(lines, axis=1).astype(np.float32)

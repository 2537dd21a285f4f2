"""Performances: what the network makes of a stretch of motion in which one thing was done."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from img2imu_edge.engines import Array
from img2imu_edge.enrol.profile import Repeat
from img2imu_edge.errors import RecordingError
from img2imu_edge.model import Model
from img2imu_edge.recording import Recording
from img2imu_edge.samples import ACCELEROMETER, SampleBlock
from img2imu_edge.session import MOST_AT_ONCE, Session

STILL = 0.25
"""Acceleration in m/s² (root mean square about the mean, all axes together) below which a window is still.
The least of 8,436 windows of slow exercises is 0.76; a sensor on a table shows its noise, below 0.1."""

EXTRA_S = 1.0
"""Seconds that a repeat is longer than a window, so that it gives several."""


@dataclass(frozen=True, slots=True, eq=False)
class Performance:
    """One repeat, as the network saw it.

    Attributes:
        logits: (windows, classes).
        embeddings: (windows, embedding).
        still: Windows left out because nothing moved.
        gaps: Windows left out because too many of their samples were lost.
    """

    logits: Array
    embeddings: Array
    still: int = 0
    gaps: int = 0

    def __len__(self) -> int:
        return len(self.embeddings)

    @property
    def repeat(self) -> Repeat:
        """What a profile keeps of it."""
        mean: NDArray[np.float64] = np.mean(self.embeddings, axis=0, dtype=np.float64)
        return Repeat(tuple(map(float, mean.tolist())), len(self))


def repeat_seconds(model: Model) -> float:
    """How long a repeat takes if nobody says otherwise: a window, and a little more."""
    return model.window_samples / model.card.input.rate + EXTRA_S


def perform(model: Model, rate: float, blocks: Sequence[SampleBlock]) -> Performance:
    """Show the network one repeat.

    Args:
        model: The model, as it was trained.
        rate: Nominal sampling rate in Hz.
        blocks: Its samples, and no others.

    Raises:
        SensorMismatchError: If a channel is missing that the model needs.
    """
    card = model.card
    empty = Performance(
        np.zeros((0, len(card.labels)), np.float32), np.zeros((0, model.engine.embedding_size), np.float32)
    )
    if not blocks:
        return empty
    session = Session(model, rate, blocks[0].channels)
    windows = [window for block in blocks for window in session.take(block)] + session.rest()
    gaps = sum(window.status == "gap" for window in windows)
    times = np.concatenate([block.times for block in blocks])
    axes = [blocks[0].channels.index(name) for name in ACCELEROMETER]
    motion = np.concatenate([block.values[:, axes] for block in blocks])
    length, still, seen = model.window_samples / card.input.rate, 0, []
    for window in windows:
        if window.seen is None:
            continue
        inside = motion[(times > window.time - length) & (times <= window.time)]
        inside = inside[np.isfinite(inside).all(axis=1)].astype(np.float64)
        if len(inside) < 2 or not np.sqrt(inside.var(axis=0).sum()) >= STILL:
            still += 1
        else:
            seen.append(window.seen)
    parts = [
        model.engine.run_many(np.stack(seen[at : at + MOST_AT_ONCE]))
        for at in range(0, len(seen), MOST_AT_ONCE)
    ]
    if not parts:
        return replace(empty, still=still, gaps=gaps)
    logits, embeddings = (np.concatenate(part) for part in zip(*parts, strict=True))
    sound = np.isfinite(embeddings).all(axis=1) & np.isfinite(logits).all(axis=1)
    return Performance(logits[sound], embeddings[sound], still, gaps)


def stretches(recording: Recording, label: str, seconds: float) -> Iterator[SampleBlock]:
    """The repeats in a recording: runs of samples with the label, long ones in pieces.

    Args:
        recording: With labels; one without any is taken to be all of this label.
        label: Which.
        seconds: Length of a piece. What is left at the end of a run is left out.

    Raises:
        RecordingError: If nothing in it has the label, or no run is that long.
    """
    marked = np.ones(len(recording), bool) if recording.labels is None else recording.labels == label
    if not marked.any():
        names = ", ".join(sorted(set(map(str, recording.labels if recording.labels is not None else ()))))
        raise RecordingError(f"{recording.name} has no sample labelled {label!r}; it has: {names:.200}")
    edges = np.flatnonzero(np.diff(marked.astype(np.int8))) + 1
    found = False
    for run in np.split(np.arange(len(marked)), edges):
        if not marked[run[0]]:
            continue
        times = recording.times[run[0] : run[-1] + 1]
        for piece in range(int((times[-1] - times[0] + 1.5 / recording.rate) / seconds)):
            first, end = np.searchsorted(times, times[0] + np.array([piece, piece + 1]) * seconds)
            part = slice(int(run[0] + first), int(run[0] + end))
            if part.stop > part.start:
                found = True
                yield SampleBlock(recording.times[part], recording.values[part], recording.channels)
    if not found:
        raise RecordingError(
            f"no stretch of {label!r} in {recording.name} is {seconds:g} s long; a repeat needs as much: "
            "record it for longer"
        )

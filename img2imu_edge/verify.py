"""Verify: does this file, on this machine and its engine, compute what was trained? Stage by stage.

A file brings real windows and what the trained network made of them. Each stage is replayed as a session
would compute it, so that an error shows where it arises: in the front-end, in the network, or in neither.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from img2imu_edge.card import Bounds
from img2imu_edge.decision import Decision, DecisionMaker
from img2imu_edge.engines import Output
from img2imu_edge.errors import ModelError
from img2imu_edge.golden import Golden
from img2imu_edge.model import Model
from img2imu_edge.spectrogram import StreamingSpectrogram, stack

Array = NDArray[np.float32]

StageName = Literal["picture", "logits", "embedding", "decision"]


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage against the golden vectors.

    Attributes:
        name: The stage.
        error: Largest error: of a cell, a logit, a number of the embedding; for decisions the windows that
            get another label or status. NaN if the stage gives NaN.
        bound: How large it may be; None where nothing is asked.
        where: Place of the largest error, for people.
    """

    name: StageName
    error: float
    bound: float | None
    where: str

    @property
    def passed(self) -> bool:
        """Whether the error is within its bound; NaN never is."""
        return self.bound is None or self.error <= self.bound


def verify(model: Model) -> tuple[Stage, ...]:
    """Replay a model's golden vectors on the engine that is here.

    Args:
        model: From `load_model`.

    Returns:
        The picture of our front-end, then the network's logits and embedding, then the decision. A model that
        takes samples is fed samples, and draws its picture itself; the front-end, which the screen shows, is
        checked all the same.

    Raises:
        ModelError: If it brings no golden vectors or no bounds, or the engine cannot run it.
    """
    golden, bounds = _evidence(model)
    pictures = np.stack([_picture(model, window) for window in golden.samples])
    shown = golden.samples if model.card.input.form == "samples" else pictures
    outputs = [model.engine.run(np.ascontiguousarray(window)) for window in shown]
    found = [_decide(model, output) for output in outputs]
    wanted = [_decide(model, Output(*pair)) for pair in zip(golden.logits, golden.embeddings, strict=True)]
    logits = np.stack([output.logits for output in outputs])
    embeddings = np.stack([output.embedding for output in outputs])
    cell, cell_error = _largest(pictures, golden.pictures)
    (window, label), logit_error = _largest(logits, golden.logits)
    (other, number), embedding_error = _largest(embeddings, golden.embeddings)
    return (
        Stage("picture", cell_error, bounds.picture, _cell(model, cell)),
        Stage("logits", logit_error, bounds.logits, f"window {window}, {model.card.labels[label]}"),
        Stage("embedding", embedding_error, None, f"window {other}, number {number}"),
        _decisions(found, wanted),
    )


def demand(stages: Sequence[Stage]) -> None:
    """Insist that every stage is within its bound.

    Raises:
        ModelError: If one is not; the message names the first such stage and the place.
    """
    for stage in stages:
        if not stage.passed:
            raise ModelError(f"{_told(stage)}: {_ADVICE[stage.name]}")


_ADVICE: dict[StageName, str] = {
    "picture": "the card's spectrogram is not the one that it was trained with; export it again",
    "logits": "this engine does not compute what was trained; try another version of it, or another format",
    "decision": "the model decides otherwise here than where it was made; do not use it on this machine",
}


def _told(stage: Stage) -> str:
    if stage.name == "decision":
        return f"the decision differs from the trained network's ({stage.where})"
    noun = {"picture": "the picture is", "logits": "a logit is"}[stage.name]
    return f"{noun} {stage.error:.2g} off, more than {stage.bound:g} ({stage.where})"


def _evidence(model: Model) -> tuple[Golden, Bounds]:
    """What a file proves itself by."""
    lacking = "golden vectors" if model.golden is None else "bounds"
    if model.golden is None or model.card.bounds is None:
        raise ModelError(f"it has no {lacking} to prove itself by; export it again with: img2imu export")
    return model.golden, model.card.bounds


def _picture(model: Model, samples: Array) -> Array:
    """A window's picture, drawn as a session draws it, in blocks as a wearable sends them."""
    stream = StreamingSpectrogram(model.plan, model.card.input.columns)
    for start in range(0, len(samples), model.plan.hop):
        stream.push(samples[start : start + model.plan.hop])
    return stack(stream.picture()).copy()  # a view would change with the next window


def _decide(model: Model, output: Output) -> Decision:
    """The decision on a window by itself, so that it does not depend on the order of the windows."""
    maker = DecisionMaker(model.card.decision, model.card.labels)
    return maker.decide(0.0, 1.0, output.logits, output.embedding)


def _largest(found: Array, wanted: Array) -> tuple[tuple[int, ...], float]:
    """Where two arrays differ most, and by how much; a NaN is the largest difference."""
    errors = np.abs(found.astype(np.float64) - wanted)
    place = tuple(int(i) for i in np.unravel_index(int(errors.argmax()), errors.shape))
    return place, float(errors[place])


def _cell(model: Model, place: tuple[int, ...]) -> str:
    """A cell of a stacked picture by what it shows: undoes `stack`."""
    window, colour, row, column = place
    plan, channels = model.plan, model.card.input.channels
    sensor, line = divmod(row, plan.rows)
    level = line < model.card.spectrogram.level_rows
    shows = "level" if level else f"{plan.frequencies[line - model.card.spectrogram.level_rows]:.3g} Hz"
    return f"window {window}, {channels[3 * sensor + colour]} {shows} (row {row}), column {column}"


def _decisions(found: Sequence[Decision], wanted: Sequence[Decision]) -> Stage:
    pairs = list(enumerate(zip(found, wanted, strict=True)))
    other = [(i, a, b) for i, (a, b) in pairs if (a.label, a.status) != (b.label, b.status)]
    where = f"{len(pairs)} of {len(pairs)} alike"
    if other:
        window, ours, theirs = other[0]
        where = f"window {window}: {ours.label}, not {theirs.label}"
    return Stage("decision", float(len(other)), 0.0, where)

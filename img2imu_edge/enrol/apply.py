"""A model with a profile: the network as it is, and what this wearer enrolled decided beside it.

Everything that takes a model takes the result, for it is a model: its card has the new labels and centroids,
its engine the scores that go with them. Without a profile nothing changes, to the last bit.

With d²(e, c) the mean of ((e − c) / spread)², as in `Novelty`, and logits divided by the temperature:

* An adapted class moves its centroid c to c′, and its logit by β (d²(e, c) − d²(e, c′)): what the likelihoods
  of two Gaussians of one spread differ by. It is linear in e.
* A new class with centroid n stands against the known ones together: its log odds over them are
  β (min (d²(e, known) − allowance) − d²(e, n)). Among the known ones the network decides.

A mean of few repeats is uncertain: an adapted centroid is shrunk towards what was trained, which counts as so
many repeats (the posterior mean of a Gaussian). A new class has nothing to be shrunk to: towards the middle
of all classes it gets worse. But its centroid is the wearer's, and trained ones are everyone's, from which
this wearer is further away at no fault of the motion. The allowance is for that, less as a class is adapted.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from img2imu_edge.card import Form, Novelty
from img2imu_edge.engines import Array, Engine, Output
from img2imu_edge.enrol.profile import Enrolled, Profile, check_fit, read_profile
from img2imu_edge.model import Model, load_model
from img2imu_edge.signature import Key

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Weights:
    """How much a profile says. The defaults were chosen on people whom no model saw: docs/enrol.md.

    Attributes:
        sharpness: β, log odds per unit of d².
        known_prior: Repeats that the trained centroid of an adapted class counts as.
        allowance: What a trained centroid may be further away than this wearer's, in d².
    """

    sharpness: float = 4.0
    known_prior: float = 0.5
    allowance: float = 0.2


DEFAULT = Weights()
"""What is shipped."""


class Correction:
    """What was enrolled, as a correction of a network's logits and logits of its own.

    Args:
        novelty: The model's centroids and spread.
        temperature: What its logits are to be divided by, which holds for the result too.
        labels: The model's classes.
        classes: What was enrolled.
        weights: How much it says.

    Attributes:
        labels: The model's classes, then the new ones.
        centroids: (labels, embedding) where they lie now.
    """

    def __init__(
        self,
        novelty: Novelty,
        temperature: float,
        labels: tuple[str, ...],
        classes: tuple[Enrolled, ...],
        weights: Weights = DEFAULT,
    ) -> None:
        self._weights, self._temperature = weights, temperature
        self._spread = np.array(novelty.spread)
        self._trained = np.array(novelty.centroids)
        self._moved, added = self._trained.copy(), []
        self._allowance = np.full(len(labels), weights.allowance)
        for each in classes:
            if each.label not in labels:
                added.append(each.mean)
                continue
            at, count, prior = labels.index(each.label), len(each.repeats), weights.known_prior
            self._moved[at] = (count * each.mean + prior * self._trained[at]) / (count + prior)
            self._allowance[at] *= prior / (count + prior)
        self._added = np.array(added).reshape(len(added), len(self._spread))
        self.labels = labels + tuple(each.label for each in classes if each.label not in labels)
        self.centroids = np.concatenate([self._moved, self._added])

    def apply(self, logits: Array, embeddings: Array) -> Array:
        """Logits (n, labels) of what the network said: (n, trained labels) and (n, embedding)."""
        beta = self._weights.sharpness
        moved = self._squared(embeddings, self._moved)
        known = logits / self._temperature + beta * (self._squared(embeddings, self._trained) - moved)
        parts = [known]
        if len(self._added):
            top = known.max(axis=1, keepdims=True)
            together = top + np.log(np.exp(known - top).sum(axis=1, keepdims=True))
            nearest = (moved - self._allowance).min(axis=1, keepdims=True)
            parts.append(together + beta * (nearest - self._squared(embeddings, self._added)))
        return np.asarray(self._temperature * np.concatenate(parts, axis=1), dtype=np.float32)

    def _squared(self, embeddings: Array, centroids: Matrix) -> Matrix:
        offsets = (embeddings[:, None, :].astype(np.float64) - centroids) / self._spread
        found: Matrix = np.mean(offsets**2, axis=2)
        return found


class EnrolledEngine:
    """An engine with a correction: an `Engine` like any other.

    Args:
        base: The model's engine.
        correction: What to do to its logits.
    """

    def __init__(self, base: Engine, correction: Correction) -> None:
        self._base, self._correction = base, correction
        self.name: str = base.name
        self.form: Form = base.form
        self.input_shape: tuple[int, ...] = base.input_shape
        self.classes = len(correction.labels)
        self.embedding_size: int = base.embedding_size

    def run(self, window: Array) -> Output:
        """As `Engine.run`."""
        logits, embedding = self._base.run(window)
        return Output(self._correction.apply(logits[None], embedding[None])[0], embedding)

    def run_many(self, windows: Array) -> Output:
        """As `Engine.run_many`."""
        logits, embeddings = self._base.run_many(windows)
        return Output(self._correction.apply(logits, embeddings), embeddings)


def personalise(model: Model, profile: Profile, weights: Weights = DEFAULT) -> Model:
    """A model that decides among its own classes and those that were enrolled.

    Args:
        model: The model that the profile was made with.
        profile: From `read_profile`.
        weights: How much the profile says.

    Returns:
        A model that shares the network with the first; that one itself if nothing is enrolled. It brings no
        golden vectors, for they are about the network alone.

    Raises:
        ModelError: If the profile was made with another model.
    """
    check_fit(profile, model)
    decision = model.card.decision
    if not profile.classes or decision.novelty is None:
        return model
    correction = Correction(
        decision.novelty, decision.temperature, model.card.labels, profile.classes, weights
    )
    centroids = tuple(tuple(map(float, row)) for row in correction.centroids)
    novelty = replace(decision.novelty, centroids=centroids)
    card = replace(model.card, labels=correction.labels, decision=replace(decision, novelty=novelty))
    return replace(model, card=card, engine=EnrolledEngine(model.engine, correction), golden=None)


def load_personal(model: str | Path, profile: Path | None = None, trusted_key: Key | None = None) -> Model:
    """`load_model`, with what a wearer enrolled if there is a profile of it.

    Raises:
        ModelError: As `load_model` and `read_profile`.
        MissingExtraError: As `load_model`.
    """
    loaded = load_model(model, trusted_key)
    return loaded if profile is None else personalise(loaded, read_profile(profile, loaded))

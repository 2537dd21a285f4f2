"""A wearer's profile: what was enrolled on top of a model, as plain JSON, bound to that model's graph."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from img2imu_edge.decision import UNKNOWN
from img2imu_edge.errors import ModelError
from img2imu_edge.model import Model
from img2imu_edge.strict import StrictError, from_json
from img2imu_edge.whole import write_whole

SCHEMA = 1
"""Version of the file's layout; a newer one is refused."""

MOST_CLASSES = 64
"""Classes that a profile may hold."""

MOST_REPEATS = 64
"""Repeats of a class that a profile may hold."""

_MOST_BYTES = 32 << 20
_MOST_LABEL = 64
_LARGEST = 1e6  # far beyond any embedding, and its square is still far from overflow


@dataclass(frozen=True, slots=True)
class Repeat:
    """One performance, as the network saw it.

    Attributes:
        embedding: (embedding,) mean over its windows.
        windows: How many these were.
    """

    embedding: tuple[float, ...]
    windows: int


@dataclass(frozen=True, slots=True)
class Enrolled:
    """What is known of one class from this wearer.

    Attributes:
        label: A class of the model, which is then adapted, or a new one.
        repeats: The performances. Their order is of no meaning; they are kept sorted.
    """

    label: str
    repeats: tuple[Repeat, ...]

    @property
    def mean(self) -> NDArray[np.float64]:
        """(embedding,) mean of the repeats, each counting the same however long it took."""
        total: NDArray[np.float64] = np.mean([repeat.embedding for repeat in self.repeats], axis=0)
        return total


@dataclass(frozen=True, slots=True)
class Profile:
    """The profile.

    Attributes:
        schema: Version of this layout.
        model: Name of the model, for people.
        graph: SHA-256 of the model's graph, in hexadecimal: embeddings of another one mean something else.
        classes: What was enrolled, sorted by label.
        before: `classes` before the last change, for `undone`; None where there is nothing to undo.
    """

    schema: int
    model: str
    graph: str
    classes: tuple[Enrolled, ...] = ()
    before: tuple[Enrolled, ...] | None = None

    def __post_init__(self) -> None:
        for classes in (self.classes, self.before or ()):
            _check(classes)

    def added(self, label: str, repeats: tuple[Repeat, ...]) -> Profile:
        """With more repeats of a class, which may be new.

        Raises:
            ModelError: If it would then hold too much, or the label is not fit for one.
        """
        have = next((each.repeats for each in self.classes if each.label == label), ())
        joined = Enrolled(label, tuple(sorted((*have, *repeats), key=lambda r: (r.embedding, r.windows))))
        others = [each for each in self.classes if each.label != label]
        classes = tuple(sorted((*others, joined), key=lambda each: each.label))
        try:
            return replace(self, classes=classes, before=self.classes)
        except ValueError as error:
            raise ModelError(f"{error}; remove one first: img2imu enroll --remove LABEL") from error

    def removed(self, label: str) -> Profile:
        """Without a class; a class of the model is then as it was trained.

        Raises:
            ModelError: If it is not enrolled.
        """
        classes = tuple(each for each in self.classes if each.label != label)
        if len(classes) == len(self.classes):
            known = ", ".join(each.label for each in self.classes) or "nothing"
            raise ModelError(f"{label!r} is not enrolled; enrolled: {known}")
        return replace(self, classes=classes, before=self.classes)

    def undone(self) -> Profile:
        """As it was before the last change.

        Raises:
            ModelError: If there is nothing to undo: one change is remembered.
        """
        if self.before is None:
            raise ModelError("there is nothing to undo: only the last change is remembered")
        return replace(self, classes=self.before, before=None)


def new_profile(model: Model) -> Profile:
    """An empty profile for a model."""
    return Profile(SCHEMA, model.card.name, model.card.sha256["graph"])


def write_profile(path: Path, profile: Profile) -> None:
    """Write a profile, whole or not at all.

    Raises:
        ModelError: If it cannot be written.
    """
    write_whole(path, (json.dumps(asdict(profile), ensure_ascii=False) + "\n").encode())


def read_profile(path: Path, model: Model) -> Profile:
    """Read a model's profile. Nothing in it is ever executed, and no more is read than a profile can be.

    Raises:
        ModelError: If it cannot be read, is damaged, too large, newer than this package, or another model's.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise ModelError(
            f"cannot read the profile {path}: {error.strerror or error}; make one with: img2imu enroll"
        ) from error
    if len(content) > _MOST_BYTES:
        raise ModelError(f"{path} is larger than {_MOST_BYTES >> 20} MiB; that is not a profile of ours")
    try:
        data = json.loads(content.decode("utf-8"))
        schema = data.get("schema") if isinstance(data, dict) else None
        if isinstance(schema, int) and schema > SCHEMA:
            raise ModelError(
                f"{path} has schema {schema}, but this img2imu-edge reads up to {SCHEMA}; "
                "upgrade it with: pip install --upgrade img2imu-edge"
            )
        profile = from_json(Profile, data)
    except (ValueError, RecursionError, StrictError) as error:
        raise ModelError(f"{path} is not a profile, or is damaged: {error}; enrol again") from error
    check_fit(profile, model)
    return profile


def check_fit(profile: Profile, model: Model) -> None:
    """Check that a profile was made with a model.

    Raises:
        ModelError: If it was made with another one, or the model cannot be enrolled on at all.
    """
    novelty = model.card.decision.novelty
    if novelty is None:
        raise ModelError(
            f"model {model.card.name!r} does not say where its classes lie (decision.novelty), so that "
            "nothing can be enrolled; train and export it with this version"
        )
    if profile.graph != model.card.sha256["graph"]:
        raise ModelError(
            f"the profile was made with another model file ({profile.model!r:.40}, graph "
            f"{profile.graph[:12]!r}; this is {model.card.name!r}, {model.card.sha256['graph'][:12]!r}): "
            "even an int8 and a float32 file of one model differ; use the one that it was made with, or "
            "enrol again"
        )
    size = len(novelty.spread)
    for each in profile.classes + (profile.before or ()):
        if any(len(repeat.embedding) != size for repeat in each.repeats):
            raise ModelError(f"the profile's {each.label!r} is not of this model's size; enrol again")


def check_label(label: str) -> None:
    """Check that a label can be one.

    Raises:
        ModelError: If it cannot.
    """
    if not _is_label(label):
        raise ModelError(
            f"{label!r:.40} is no label: it must be a word or two, {_MOST_LABEL} characters at most, "
            f"and not {UNKNOWN!r}, which says that nothing fits"
        )


def _is_label(label: str) -> bool:
    fits = 0 < len(label) <= _MOST_LABEL and label == label.strip()
    return fits and label.isprintable() and label != UNKNOWN


def _check(classes: tuple[Enrolled, ...]) -> None:
    if len(classes) > MOST_CLASSES:
        raise ValueError(f"a profile holds {MOST_CLASSES} classes at most")
    labels = [each.label for each in classes]
    if labels != sorted(set(labels)):
        raise ValueError("classes must be sorted, each there once")
    for each in classes:
        if not _is_label(each.label):
            raise ValueError(f"{each.label!r:.40} is no label")
        if not 0 < len(each.repeats) <= MOST_REPEATS:
            raise ValueError(f"{each.label!r} must have 1 to {MOST_REPEATS} repeats")
        for repeat in each.repeats:
            if repeat.windows < 1 or not all(abs(value) <= _LARGEST for value in repeat.embedding):
                raise ValueError(f"a repeat of {each.label!r} is beyond reason")

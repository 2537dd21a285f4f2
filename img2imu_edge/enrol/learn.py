"""From performances to a profile, with the checks that keep a bad one out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from img2imu_edge.enrol.apply import Correction
from img2imu_edge.enrol.perform import Performance
from img2imu_edge.enrol.profile import Profile, check_fit
from img2imu_edge.errors import RecordingError
from img2imu_edge.model import Model

LEAST_REPEATS = 3
"""Of two that differ nobody can tell which is meant."""

MOST_APART = 1.4
"""Distance of a repeat from the median of the others, as in `Novelty`, above which it is something else. Of
one person's repeats of an exercise, on either arm, 1 % are above it; of other exercises more than half."""

LEAST_APART = 0.5
"""Distance between a wearer's classes below which they are one: of different exercises 1 % are as near."""

MOST_MOVED = 1.3
"""How many times further than another class's a trained centroid may be from its own class's repeats. None
of 150 was when the class was right, two thirds of 900 when it was another."""

LEAST_RECOGNISED = 0.5
"""Share of a repeat's windows that must be recognised with the others alone enrolled."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """What was learned.

    Attributes:
        profile: With the class.
        used: Repeats that went into it.
        left_out: Why each of the others did not.
        recognised: Share of windows that were recognised when their repeat was the one not enrolled.
    """

    profile: Profile
    used: int
    left_out: tuple[str, ...]
    recognised: float


def learn(model: Model, profile: Profile, label: str, performances: Sequence[Performance]) -> Lesson:
    """Add a class, or more of one, to a profile.

    Args:
        model: The model, as it was trained.
        profile: What was enrolled before.
        label: A new class, or one of the model's, which is then adapted to this wearer.
        performances: Its repeats.

    Raises:
        RecordingError: If the repeats are too few, differ too much, or are too like another class.
        ModelError: If the profile is another model's, or would hold too much.
    """
    check_fit(profile, model)
    kept, left_out = _consistent(model, performances)
    if len(kept) < LEAST_REPEATS:
        raise RecordingError(
            f"{len(kept)} of {len(performances)} repeats of {label!r} can be used, and it takes "
            f"{LEAST_REPEATS}; nothing was enrolled. {'; '.join(left_out) or 'Ask for more with --repeats'}. "
            "Do the same thing each time, from the countdown's end until told to stop"
        )
    joined = profile.added(label, tuple(each.repeat for each in kept))
    if twin := _twin(model, joined, label):
        raise RecordingError(
            f"these repeats of {label!r} are what {twin!r} is; nothing was enrolled. Give them that label; "
            f"if {twin!r} was enrolled by mistake: img2imu enroll --remove LABEL, or --undo"
        )
    hits, mistaken = 0, dict[str, int]()
    for number, held in enumerate(kept):
        others = tuple(each.repeat for each in (*kept[:number], *kept[number + 1 :]))
        for said in _decided(model, profile.added(label, others), held):
            hits += said == label
            if said != label:
                mistaken[said] = mistaken.get(said, 0) + 1
    share = hits / sum(map(len, kept))
    if share < LEAST_RECOGNISED:
        most = max(mistaken, key=lambda name: (mistaken[name], name))
        raise RecordingError(
            f"{label!r} is too like {most!r} for this model: with all repeats but one enrolled, only "
            f"{share:.0%} of the last are recognised; nothing was enrolled. Do it more distinctly, or, if "
            f"that is what it is, give it the label {most!r}"
        )
    return Lesson(joined, len(kept), left_out, share)


def _consistent(
    model: Model, performances: Sequence[Performance]
) -> tuple[list[Performance], tuple[str, ...]]:
    """The performances that can be used, and why each of the others cannot."""
    reasons, filled = [], []
    for number, each in enumerate(performances, 1):
        if len(each):
            filled.append((number, each))
        elif each.still or each.gaps:
            why = "nothing moved" if each.still >= each.gaps else "too many samples were lost"
            reasons.append(f"repeat {number}: {why}")
        else:
            reasons.append(f"repeat {number}: it is shorter than the model's window")
    if len(filled) < LEAST_REPEATS or model.card.decision.novelty is None:
        return [each for _, each in filled], tuple(reasons)
    spread = np.array(model.card.decision.novelty.spread)
    means = np.array([each.repeat.embedding for _, each in filled])
    kept = []
    for at, (number, each) in enumerate(filled):
        middle = np.median(np.delete(means, at, axis=0), axis=0)
        apart = float(np.sqrt(np.mean(((means[at] - middle) / spread) ** 2)))
        if apart <= MOST_APART:
            kept.append(each)
        else:
            reasons.append(f"repeat {number}: unlike the others ({apart:.1f}, {MOST_APART} at most)")
    return kept, tuple(reasons)


def _twin(model: Model, profile: Profile, label: str) -> str | None:
    """Another class that the repeats of this one belong to, if there is one."""
    novelty = model.card.decision.novelty
    if novelty is None:
        return None
    spread = np.array(novelty.spread)
    means = {each.label: each.mean for each in profile.classes}
    mine = means.pop(label)
    apart = {name: float(np.sqrt(np.mean(((mean - mine) / spread) ** 2))) for name, mean in means.items()}
    if apart and min(apart.values()) < LEAST_APART:
        return min(apart, key=lambda name: apart[name])
    if label in model.card.labels:
        away = np.sqrt(np.mean(((np.array(novelty.centroids) - mine) / spread) ** 2, axis=1))
        nearest = int(away.argmin())
        if away[model.card.labels.index(label)] > MOST_MOVED * away[nearest]:
            return model.card.labels[nearest]
    return None


def _decided(model: Model, profile: Profile, performance: Performance) -> list[str]:
    """The most probable class of each window under a profile."""
    decision = model.card.decision
    if decision.novelty is None:
        return []
    correction = Correction(decision.novelty, decision.temperature, model.card.labels, profile.classes)
    scores = correction.apply(performance.logits, performance.embeddings)
    return [correction.labels[at] for at in scores.argmax(axis=1)]

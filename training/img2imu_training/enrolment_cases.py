"""People whom a model never saw, and what of them it sees: the draws of `img2imu_training.enrolment`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray

from img2imu_edge.card import Novelty
from img2imu_training.augment import vary
from img2imu_training.calibrate import distances, fit_classes, fit_temperature, fit_threshold
from img2imu_training.fit import Learner
from img2imu_training.head import features, fit_head
from img2imu_training.metric import Features
from img2imu_training.network import Network
from img2imu_training.recipe import Recipe
from img2imu_training.recordings import Corpus
from img2imu_training.windows import Windows, cut, pictures, window_samples

BUDGETS = (1, 3, 5)
"""Repeats that are enrolled."""

FIRST_DRAW = 100
"""The weights of `img2imu_edge.enrol.apply` were chosen on SPAR's draws 0 to 9."""

_REPEAT_S = 6.0  # what `img2imu enroll` asks for with this model
_HOP_S = 0.5
_ENROL_PART = 0.6
_FALSE_ALARM = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """A corpus through the frozen backbone: what every draw shares.

    Attributes:
        learner: With the metric.
        windows: The corpus, cut.
        features: (windows, features).
        varied: The same of a varied copy.
        strangers: Formula-made motion in the metric's space.
        channels: Of the recipe.
    """

    learner: Learner
    windows: Windows
    features: Features
    varied: Features
    strangers: Features
    channels: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Taught:
    """A model of some people and classes.

    Attributes:
        net: The network.
        novelty: Where its classes lie.
        temperature: Of its logits.
    """

    net: Network
    novelty: Novelty
    temperature: float


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One person outside the training, with a model that lacks two classes.

    Attributes:
        known: The model's classes.
        new: The class to enrol.
        strange: The one that nobody tells of.
        novelty: Where the known ones lie.
        temperature: Of the model.
        repeats: Mean embeddings of the repeats that there are, by class.
        logits: (windows, known) of the windows to judge, divided by nothing.
        embeddings: (windows, embedding) of them.
        labels: (windows,) their classes.
    """

    known: tuple[int, ...]
    new: int
    strange: int
    novelty: Novelty
    temperature: float
    repeats: dict[int, list[NDArray[np.float64]]]
    logits: NDArray[np.float32]
    embeddings: NDArray[np.float32]
    labels: NDArray[np.int64]


def see(corpus: Corpus, how: Recipe) -> Seen:
    """Cut a corpus and show it to the backbone of a recipe."""
    corpus = corpus.only(how.data.channels)
    learner = how.learner(corpus.rate)
    length = window_samples(learner.plan, learner.columns)
    windows = cut(corpus, length, round(_HOP_S * corpus.rate), agreement=1.0)
    net = learner._network(2, 1)
    rng = np.random.default_rng(0)
    varied = vary(windows.samples, learner.options.augmentation, rng)
    seen, copies = (features(net, pictures(each, learner.plan)) for each in (windows.samples, varied))
    return Seen(learner, windows, seen, copies, learner._strangers, tuple(how.data.channels))


def cases(seen: Seen, seed: int) -> Iterator[Case]:
    """The people of one draw who are in no training."""
    rng, windows = np.random.default_rng(seed), seen.windows
    classes = int(windows.labels.max()) + 1
    train, held, rest, known, new, strange = _parted(windows, classes, rng)
    model = train_without(seen, known, train, held)
    with torch.inference_mode():
        inner = model.net.project(torch.from_numpy(seen.features))
        logits, embeddings = model.net.classify(inner).numpy(), inner.numpy()
    for person in rest:
        repeats, after = halves(seen, person, embeddings)
        if new in repeats and {new, *known} & set(windows.labels[after].tolist()) > {new}:
            yield Case(
                known,
                new,
                strange,
                model.novelty,
                model.temperature,
                repeats,
                logits[after],
                embeddings[after],
                windows.labels[after],
            )


def train_without(
    seen: Seen, known: tuple[int, ...], train: NDArray[np.str_], held: NDArray[np.str_]
) -> Taught:
    """A model in closed form, without the other classes and people.

    Args:
        seen: The corpus.
        known: Its classes.
        train: Who trains it.
        held: Who calibrates it.
    """
    windows = seen.windows
    place = np.full(int(windows.labels.max()) + 1, -1)
    place[list(known)] = range(len(known))
    labels = place[windows.labels]
    taught = np.isin(windows.subjects, train) & (labels >= 0)
    net = seen.learner._network(len(known), seen.learner.embedding)
    both = np.concatenate([seen.features[taught], seen.varied[taught]])
    penalty = seen.learner.options.head.inverse_penalty
    fit_head(net, seen.learner.metric, both, np.tile(labels[taught], 2), seen.strangers, penalty)
    with torch.inference_mode():
        inner = net.project(torch.from_numpy(seen.features))
        logits, embeddings = net.classify(inner).numpy(), inner.numpy()
    novelty = fit_classes(embeddings[taught], labels[taught], len(known))
    judged = np.isin(windows.subjects, held) & (labels >= 0)
    threshold = fit_threshold(distances(embeddings[judged], novelty), _FALSE_ALARM)
    novelty = replace(novelty, threshold=threshold, false_alarm=_FALSE_ALARM)
    return Taught(net, novelty, fit_temperature(logits[judged], labels[judged]))


def _parted(
    windows: Windows, classes: int, rng: Generator
) -> tuple[NDArray[np.str_], NDArray[np.str_], NDArray[np.str_], tuple[int, ...], int, int]:
    """Who trains, who calibrates, who is left; the known classes, the new and the strange one.

    Raises:
        ValueError: If there is no such draw: too few people have done too few of the classes.
    """
    people = np.unique(windows.subjects)
    did = {who: set(windows.labels[windows.subjects == who].tolist()) for who in people}
    for _ in range(1000):
        order, (new, strange, *known) = rng.permutation(people), rng.permutation(classes).tolist()
        half = len(people) // 2
        train, held, rest = order[:half], order[half : half + 2], order[half + 2 :]
        taught = set[int]().union(*(did[who] for who in train))
        checked = set[int]().union(*(did[who] for who in held))
        able = any(new in did[who] and did[who] & set(known) for who in rest)
        if set(known) <= taught and len(checked & set(known)) >= 2 and able:
            return train, held, rest, tuple(sorted(known)), new, strange
    raise ValueError("too few people have done these classes")


def halves(
    seen: Seen, person: str, embeddings: NDArray[np.float32]
) -> tuple[dict[int, list[NDArray[np.float64]]], NDArray[np.int64]]:
    """A person's repeats by class, and the windows that begin after the last sample of any of them."""
    windows, overlap = seen.windows, round(windows_s(seen) / _HOP_S)
    count, step = round((_REPEAT_S - windows_s(seen)) / _HOP_S) + 1, round(_REPEAT_S / _HOP_S)
    repeats: dict[int, list[NDArray[np.float64]]] = {}
    after = []
    theirs = np.flatnonzero(windows.subjects == person)
    for session in np.unique(windows.sessions[theirs]):
        for label in np.unique(windows.labels[theirs[windows.sessions[theirs] == session]]):
            part = theirs[(windows.sessions[theirs] == session) & (windows.labels[theirs] == label)]
            border = int(_ENROL_PART * (len(part) + overlap - 1))
            for at in range(0, border - overlap + 2 - count, step):
                mean = embeddings[part[at : at + count]].mean(axis=0, dtype=np.float64)
                repeats.setdefault(int(label), []).append(mean)
            after.append(part[border:])
    return repeats, np.concatenate(after)


def windows_s(seen: Seen) -> float:
    """Length of a window in seconds."""
    return window_samples(seen.learner.plan, seen.learner.columns) / seen.learner.plan.rate


def told(means: Sequence[float]) -> str:
    """Mean ± standard deviation over draws, in %; one draw alone has no spread to tell."""
    sound = np.array([mean for mean in means if not np.isnan(mean)])
    if not len(sound):
        return "–"
    return f"{100 * sound.mean():.1f}" + (f" ± {100 * sound.std():.1f}" if len(sound) > 1 else "")

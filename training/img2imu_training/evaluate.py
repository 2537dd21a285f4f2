"""Leave-subjects-out evaluation: people are parted into groups; each meets a network that never saw it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import f1_score

from img2imu_edge.errors import RecordingError
from img2imu_training.calibrate import distances, fit_classes
from img2imu_training.checks import listed
from img2imu_training.fit import Learner, predict
from img2imu_training.network import Network
from img2imu_training.progress import Unwatched, Watch
from img2imu_training.recipe import Recipe
from img2imu_training.recordings import Corpus
from img2imu_training.tune import Progress, Tuning
from img2imu_training.whiten import whiten
from img2imu_training.windows import Windows, cut, pictures, window_samples

MIN_PEOPLE = 3
"""With fewer, nobody is set aside to say when to stop."""


@dataclass(frozen=True, slots=True)
class Fold:
    """What a network said about people it never saw.

    Attributes:
        net: The network.
        train: Whom it was trained on.
        test: Who was held out.
        windows: The held-out people's windows.
        logits: (windows, classes).
        distances: (windows,) from the training people's classes, in the embedding.
        tuning: The course of the gradient descent.
    """

    net: Network
    train: tuple[str, ...]
    test: tuple[str, ...]
    windows: Windows
    logits: NDArray[np.float32]
    distances: NDArray[np.float64]
    tuning: Tuning

    @property
    def macro_f1(self) -> float:
        """Macro-F1 over the held-out windows, of the classes that are among them."""
        return group_f1(self.windows.labels, self.logits.argmax(axis=1))


def macro_f1(labels: NDArray[np.int64], predicted: NDArray[np.int64], classes: int) -> float:
    """Mean over all classes of the F1 score; a class that is nowhere counts 0."""
    return float(f1_score(labels, predicted, labels=range(classes), average="macro", zero_division=0))


def group_f1(labels: NDArray[np.int64], predicted: NDArray[np.int64]) -> float:
    """Mean F1 score over the classes that are there: nobody can fail at what they did not do."""
    return float(f1_score(labels, predicted, labels=np.unique(labels), average="macro", zero_division=0))


def part(subjects: tuple[str, ...], folds: int, seed: int) -> list[tuple[str, ...]]:
    """Part people into groups of about the same size, drawn by a seed; each is in exactly one.

    Raises:
        ValueError: If there are fewer than two groups, or fewer people than groups.
    """
    if not 2 <= folds <= len(subjects):
        raise ValueError(f"{len(subjects)} people cannot be parted into {folds} groups")
    shuffled = np.random.default_rng(seed).permutation(np.array(sorted(subjects)))
    return [tuple(sorted(map(str, group))) for group in np.array_split(shuffled, folds)]


def evaluation_windows(recipe: Recipe, corpus: Corpus) -> Windows:
    """Windows at the recipe's decision hop."""
    plan = recipe.plan(corpus.rate)
    hop = plan.hop * recipe.picture.hop_columns
    return cut(corpus, window_samples(plan, recipe.picture.columns), hop)


def train_one(
    learner: Learner, windows: Windows, classes: int, seed: int, progress: Progress
) -> tuple[Network, Tuning]:
    """A network trained on windows, its embedding whitened.

    Args:
        learner: What learns.
        windows: Of the training people. Where there is gradient descent and there are enough people, one in
            four of them says when to stop.
        classes: How many there are.
        seed: Of all randomness.
        progress: Called after each step of the gradient descent.
    """
    people = tuple(map(str, np.unique(windows.subjects)))
    seen, validation = windows, None
    how = learner.options.tune
    if how.steps and how.stop_early and len(people) > MIN_PEOPLE:
        aside = part(people, min(4, len(people)), seed)[0]
        rest = windows.of(tuple(p for p in people if p not in aside))
        if len(np.unique(rest.labels)) == classes:
            seen, validation = rest, windows.of(aside)
    net, tuning = learner.fit(seen, classes, seed, progress, validation)
    _, embeddings = predict(net, pictures(windows.samples, learner.plan))
    whiten(net, embeddings, windows.labels)
    return net, tuning


def held_out(
    recipe: Recipe, corpus: Corpus, learner: Learner, seed: int, watch: Watch | None = None
) -> Iterator[Fold]:
    """Hold out each group of people once.

    Args:
        recipe: What to train.
        corpus: Everyone who may be used.
        learner: The recipe's; its metric serves all groups, and whatever else it is used for.
        seed: Of the groups and the networks.
        watch: Told of every group and of each step of a gradient descent.

    Raises:
        RecordingError: If a class is of one person alone, so that the others have none to learn from.
    """
    watch = watch or Unwatched()
    windows, classes = evaluation_windows(recipe, corpus), len(corpus.classes)
    shown = pictures(windows.samples, learner.plan)
    for test in part(corpus.subjects, min(recipe.evaluation.folds, len(corpus.subjects)), seed):
        train = tuple(s for s in corpus.subjects if s not in test)
        mine, theirs = np.isin(windows.subjects, train), np.isin(windows.subjects, test)
        lacking = set(range(classes)) - set(windows.labels[mine].tolist())
        if lacking:
            raise RecordingError(
                f"only {', '.join(test)} did {corpus.classes[min(lacking)]!r}, so that it cannot be learned "
                "from the others; record it with one more person, or leave it out"
            )
        watch.begin(f"held out: {listed(test)}", recipe.fit.tune.steps)
        net, tuning = train_one(learner, windows.take(mine), classes, seed, watch.step)
        logits, embeddings = predict(net, shown)
        known = fit_classes(embeddings[mine], windows.labels[mine], classes)
        yield Fold(
            net,
            train,
            test,
            windows.take(theirs),
            logits[theirs],
            distances(embeddings[theirs], known),
            tuning,
        )

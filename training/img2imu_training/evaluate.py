"""Leave-subjects-out evaluation: people are parted into groups; each meets a network that never saw it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import f1_score

from img2imu_training.calibrate import distances, fit_classes
from img2imu_training.fit import fit, predict
from img2imu_training.network import RowNet
from img2imu_training.recipe import Recipe
from img2imu_training.recordings import Corpus
from img2imu_training.whiten import whiten
from img2imu_training.windows import Windows, cut, pictures, window_samples

Progress = Callable[[int, float], None]


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
    """

    net: RowNet
    train: tuple[str, ...]
    test: tuple[str, ...]
    windows: Windows
    logits: NDArray[np.float32]
    distances: NDArray[np.float64]

    @property
    def macro_f1(self) -> float:
        """Macro-F1 over the held-out windows."""
        return macro_f1(self.windows.labels, self.logits.argmax(axis=1), self.logits.shape[1])


def macro_f1(labels: NDArray[np.int64], predicted: NDArray[np.int64], classes: int) -> float:
    """Mean over all classes of the F1 score; a class that is nowhere counts 0."""
    return float(f1_score(labels, predicted, labels=range(classes), average="macro", zero_division=0))


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


def train_one(recipe: Recipe, corpus: Corpus, seed: int, progress: Progress) -> RowNet:
    """A network trained on everything in a corpus, from fresh weights of this seed."""
    plan = recipe.plan(corpus.rate)
    torch.manual_seed(seed)
    net = recipe.build(len(corpus.classes), plan)
    fit(net, corpus, plan, recipe.fit, seed, progress)
    windows = evaluation_windows(recipe, corpus)
    _, embeddings = predict(net, pictures(windows.samples, plan))
    whiten(net, embeddings, windows.labels)
    return net


def held_out(
    recipe: Recipe, corpus: Corpus, seed: int, progress: Progress = lambda step, loss: None
) -> Iterator[Fold]:
    """Hold out each group of people once.

    Args:
        recipe: What to train.
        corpus: Everyone who may be used.
        seed: Of the groups and the networks.
        progress: Called after each training step.
    """
    plan = recipe.plan(corpus.rate)
    windows = evaluation_windows(recipe, corpus)
    shown = pictures(windows.samples, plan)
    for test in part(corpus.subjects, recipe.evaluation.folds, seed):
        train = tuple(s for s in corpus.subjects if s not in test)
        net = train_one(recipe, corpus.of(train), seed, progress)
        logits, embeddings = predict(net, shown)
        mine, theirs = np.isin(windows.subjects, train), np.isin(windows.subjects, test)
        classes = fit_classes(embeddings[mine], windows.labels[mine], len(corpus.classes))
        yield Fold(
            net, train, test, windows.take(theirs), logits[theirs], distances(embeddings[theirs], classes)
        )

"""How many labels a task needs: the closed form on few windows per class, judged on held-out people."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from img2imu_training.evaluate import Fold, group_f1
from img2imu_training.fit import Learner
from img2imu_training.head import features, scores
from img2imu_training.progress import Watch
from img2imu_training.report.contents import Budget
from img2imu_training.report.measures import confusion, per_class
from img2imu_training.windows import Windows, pictures

BUDGETS = (1, 2, 5, 10, 20)
"""Labelled windows per class; the last point of the curve are all that there are."""

DRAWS = 3
"""Draws of the labelled windows in each held-out group."""

JUDGED = 2000
"""Most held-out windows that all groups together are judged on: more would cost time and say the same."""


def label_budget(
    learner: Learner, windows: Windows, folds: Sequence[Fold], seed: int, watch: Watch
) -> Budget:
    """Fit on few labels, as often as it takes to see what chance does, and judge on who was held out.

    Windows are drawn within each class; a class that has fewer gives all it has. The draws of one group are
    nested, so that a curve shows what more labels add.

    Args:
        learner: Its base and metric are used, and no gradient descent.
        windows: Of everyone.
        folds: The held-out groups, and what was learned from everyone else.
        seed: Of the draws.
        watch: Told of each fit.
    """
    learner, tuned = learner.frozen(), learner.options.tune.steps > 0
    classes = folds[0].logits.shape[1]
    rest = [windows.of(fold.train) for fold in folds]
    every = round(float(np.mean([len(theirs) for theirs in rest])) / classes)
    budgets = [budget for budget in BUDGETS if budget < every]
    found = np.zeros((len(budgets) + 1, len(folds), DRAWS))
    counts = np.zeros((len(budgets) + 1, classes, classes), np.int64)
    watch.begin("fewer labels", (len(budgets) * DRAWS + 1) * len(folds))
    done = 0
    rng = np.random.default_rng(seed)
    for group, (fold, theirs) in enumerate(zip(folds, rest, strict=True)):
        whole = learner.fit(theirs, classes, seed)[0] if tuned else fold.net
        asked = fold.windows.take(_some(len(fold.windows), JUDGED // len(folds), rng))
        # The backbone is the same in every fit, and so are these.
        seen = features(whole, pictures(asked.samples, learner.plan))
        for draw in range(DRAWS):
            order = rng.permutation(len(theirs))
            for point in range(len(budgets) + 1):
                net = whole
                if point < len(budgets):
                    few = theirs.take(np.sort(_first(theirs.labels, order, budgets[point])))
                    net, _ = learner.fit(few, classes, seed + draw)
                if point < len(budgets) or draw == 0:
                    done += 1
                    watch.step(done)
                said = scores(net, seen).argmax(axis=1)
                found[point, group, draw] = group_f1(asked.labels, said)
                counts[point] += confusion(asked.labels, said, classes)
    return Budget(
        labels=np.array([*budgets, every], np.int64),
        scores=found.reshape(len(found), -1),
        by_class=np.stack([per_class(count).f1 for count in counts]),
    )


def _first(labels: NDArray[np.int64], order: NDArray[np.int64], budget: int) -> NDArray[np.int64]:
    """The first so many of each class, in an order."""
    shuffled = labels[order]
    return np.concatenate([order[shuffled == label][:budget] for label in np.unique(labels)])


def _some(count: int, most: int, rng: Generator) -> NDArray[np.int64]:
    """Indices of at most so many, drawn evenly."""
    return np.sort(rng.permutation(count)[:most])

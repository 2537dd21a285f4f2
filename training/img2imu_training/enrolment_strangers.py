"""What enrolment does to the rejection of motion from elsewhere.

`python -m img2imu_training.enrolment --strangers FOLDER`: in each draw half of the people train a model of
all classes in closed form, two calibrate it, and the rest enrol every class from the first 60 % of each of
their recordings. Asked is how many windows of other recordings, which are none of the classes, are called
unknown before and after; and how many of the wearer's own, by mistake.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from rich.table import Table

from img2imu_edge.card import Novelty
from img2imu_edge.enrol.apply import Correction
from img2imu_edge.enrol.profile import Enrolled, Repeat
from img2imu_edge.errors import TrainingError
from img2imu_training.calibrate import distances
from img2imu_training.enrolment_cases import BUDGETS, FIRST_DRAW, Seen, halves, told, train_without
from img2imu_training.head import features
from img2imu_training.metric import Features
from img2imu_training.recordings import read_npz
from img2imu_training.windows import cut, pictures, window_samples

OWN = "the wearer's own, by mistake"
"""The row of what should not be rejected."""

_WINDOWS = 500  # of each corpus


def see_strangers(seen: Seen, folder: Path, but: str) -> dict[str, Features]:
    """Other corpora through the backbone, 500 windows of each, whatever was done in them.

    Args:
        seen: Of the corpus that is enrolled.
        folder: With .npz files; those that lack a channel are left out.
        but: Name of the file, without its ending, that is the corpus itself.

    Returns:
        (windows, features) by name.

    Raises:
        TrainingError: If there are none.
    """
    plan, net = seen.learner.plan, seen.learner._network(2, 1)
    length = window_samples(plan, seen.learner.columns)
    found = {}
    for path in sorted(folder.glob("*.npz")):
        corpus = read_npz(path)
        if path.stem == but or not set(seen.channels) <= set(corpus.channels):
            continue
        windows = cut(corpus.only(seen.channels), length, length, agreement=0.0)
        drawn = np.sort(np.random.default_rng(0).permutation(len(windows))[:_WINDOWS])
        note = "" if corpus.rate == plan.rate else f" ({corpus.rate:g} Hz taken as {plan.rate:g})"
        found[path.stem + note] = features(net, pictures(windows.samples[drawn], plan))
    if not found:
        raise TrainingError(f"{folder} has no other .npz file with the channels {', '.join(seen.channels)}")
    return found


def rejections(seen: Seen, strange: Mapping[str, Features], seed: int) -> dict[str, NDArray[np.float64]]:
    """Shares called unknown in one draw.

    Args:
        seen: The corpus.
        strange: From `see_strangers`.
        seed: Of the draw.

    Returns:
        (people, 1 + budgets) by name, and `OWN`: with nothing enrolled, then with each of `BUDGETS` repeats.
    """
    rng, people = np.random.default_rng(seed), np.unique(seen.windows.subjects)
    order, half = rng.permutation(people), len(people) // 2
    known = tuple(range(int(seen.windows.labels.max()) + 1))
    model = train_without(seen, known, order[:half], order[half : half + 2])
    with torch.inference_mode():
        own = model.net.project(torch.from_numpy(seen.features)).numpy()
        others = {name: model.net.project(torch.from_numpy(each)).numpy() for name, each in strange.items()}
    rows: dict[str, list[list[float]]] = {name: [] for name in (OWN, *strange)}
    for person in order[half + 2 :]:
        repeats, after = halves(seen, person, own)
        steps = [model.novelty, *(_moved(model.novelty, known, repeats, budget, rng) for budget in BUDGETS)]
        for name, embeddings in {OWN: own[after], **others}.items():
            rows[name].append(
                [float(np.mean(distances(embeddings, step) > step.threshold)) for step in steps]
            )
    return {name: np.array(each) for name, each in rows.items()}


def strangers_table(seen: Seen, folder: Path, name: str, draws: int) -> Table:
    """All draws as a table: mean ± standard deviation over draws of the mean over a draw's people, in %."""
    strange = see_strangers(seen, folder, name)
    drawn = [rejections(seen, strange, FIRST_DRAW + draw) for draw in range(draws)]
    people = sum(len(draw[OWN]) for draw in drawn)
    table = Table(title=f"{name}: called unknown, {draws} draws, {people} enrolments, in %")
    for heading in ("motion", "nothing enrolled", *(f"{budget} of each class" for budget in BUDGETS)):
        table.add_column(heading, no_wrap=True)
    for motion in (*strange, OWN):
        means: Sequence[NDArray[np.float64]] = [draw[motion].mean(axis=0) for draw in drawn]
        table.add_row(motion, *(told([float(mean[at]) for mean in means]) for at in range(1 + len(BUDGETS))))
    return table


def _moved(
    novelty: Novelty,
    known: tuple[int, ...],
    repeats: Mapping[int, Sequence[NDArray[np.float64]]],
    budget: int,
    rng: Generator,
) -> Novelty:
    """Where the classes lie once so many repeats of each were enrolled."""
    classes = tuple(
        Enrolled(
            str(label),
            tuple(Repeat(tuple(map(float, theirs[at])), 1) for at in rng.permutation(len(theirs))[:budget]),
        )
        for label, theirs in sorted(repeats.items())
    )
    moved = Correction(novelty, 1.0, tuple(map(str, known)), classes)
    return Novelty(
        tuple(map(tuple, moved.centroids.tolist())), novelty.spread, novelty.threshold, novelty.false_alarm
    )

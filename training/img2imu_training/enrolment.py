"""What enrolment gains on people whom the model never saw, and what it costs.

`python -m img2imu_training.enrolment [CORPUS.npz]` prints a table; without a corpus it is about SPAR. In
each draw half of the people train a model, in closed form and without two of the classes, two calibrate it,
and the rest enrol one of the two from the first 60 % of each of their recordings. Judged are windows after
that, one by one, without smoothing; the other class left out says how well the unknown is still rejected.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from numpy.random import Generator
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from img2imu_edge.card import Novelty
from img2imu_edge.decision import UNKNOWN
from img2imu_edge.enrol.apply import Correction
from img2imu_edge.enrol.profile import Enrolled, Repeat
from img2imu_edge.evaluation import macro_f1
from img2imu_training import spar
from img2imu_training.augment import vary
from img2imu_training.calibrate import distances, fit_classes, fit_temperature, fit_threshold
from img2imu_training.fit import Learner
from img2imu_training.head import features, fit_head
from img2imu_training.metric import Features
from img2imu_training.recipe import read_recipe
from img2imu_training.recordings import Corpus, read_npz
from img2imu_training.windows import Windows, cut, pictures, window_samples

BUDGETS = (1, 3, 5)
"""Repeats that are enrolled."""

_REPEAT_S = 6.0  # what `img2imu enroll` asks for with this model
_HOP_S = 0.5
_ENROL_PART = 0.6
_FALSE_ALARM = 0.05
_FIRST_DRAW = 100  # the weights of `img2imu_edge.enrol.apply` were chosen on SPAR's draws 0 to 9

Scores = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """A corpus through the frozen backbone: what every draw shares.

    Attributes:
        learner: With the metric.
        windows: The corpus, cut.
        features: (windows, features).
        varied: The same of a varied copy.
        strangers: Formula-made motion in the metric's space.
    """

    learner: Learner
    windows: Windows
    features: Features
    varied: Features
    strangers: Features


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


@dataclass(frozen=True, slots=True)
class Measures:
    """How a case went, each from 0 to 1.

    Attributes:
        f1: Macro-F1 over the known classes and the new one; a rejected window is a miss.
        new: Share of the new class that is recognised.
        known: Share of the known classes' windows that are.
        false_unknown: Share of the known classes' windows that are rejected.
        rejected: Share of the strange class that is.
        ece: Expected calibration error of what is not rejected, ten bins.
    """

    f1: float
    new: float
    known: float
    false_unknown: float
    rejected: float
    ece: float


def see(corpus: Corpus, recipe: Path) -> Seen:
    """Cut a corpus and show it to the backbone of a recipe."""
    how = read_recipe(recipe)
    corpus = corpus.only(how.data.channels)
    learner = how.learner(corpus.rate)
    length = window_samples(learner.plan, learner.columns)
    windows = cut(corpus, length, round(_HOP_S * corpus.rate), agreement=1.0)
    net = learner._network(2, 1)
    rng = np.random.default_rng(0)
    varied = vary(windows.samples, learner.options.augmentation, rng)
    seen, copies = (features(net, pictures(each, learner.plan)) for each in (windows.samples, varied))
    return Seen(learner, windows, seen, copies, learner._strangers)


def cases(seen: Seen, seed: int) -> Iterator[Case]:
    """The people of one draw who are in no training."""
    rng, windows = np.random.default_rng(seed), seen.windows
    classes = int(windows.labels.max()) + 1
    train, held, rest, known, new, strange = _parted(windows, classes, rng)
    place = np.full(classes, -1)
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
    temperature = fit_temperature(logits[judged], labels[judged])
    for person in rest:
        repeats, after = _halves(seen, person, embeddings)
        if new in repeats and {new, *known} & set(windows.labels[after].tolist()) > {new}:
            yield Case(
                known,
                new,
                strange,
                novelty,
                temperature,
                repeats,
                logits[after],
                embeddings[after],
                windows.labels[after],
            )


def scored(case: Case, method: str, budget: int, rng: Generator) -> Measures:
    """How one method does with so many repeats, drawn from those that there are.

    Args:
        case: The person.
        method: `none`, `prototype` (nearest mean), `enrolled`; with ` + known` the known classes are too,
            with `known alone` only they are.
        budget: Repeats of each class.
        rng: Of the draw.
    """
    drawn = {
        label: [theirs[at] for at in rng.permutation(len(theirs))[:budget]]
        for label, theirs in sorted(case.repeats.items())
    }
    known = [label for label in case.known if label in drawn and "known" in method]
    told = known if method == "known alone" else [case.new, *known]
    spread, centroids = np.array(case.novelty.spread), np.array(case.novelty.centroids)
    names = tuple(map(str, case.known))
    if method == "none":
        scores: Scores = case.logits.astype(np.float64) / case.temperature
    elif method.startswith("prototype"):
        for label in known:
            centroids[case.known.index(label)] = np.mean(drawn[label], axis=0)
        centroids = np.concatenate([centroids, np.mean(drawn[case.new], axis=0)[None]])
        names = (*names, str(case.new))
        scores = -len(spread) / 2 * _squared(case.embeddings, centroids, spread)  # the Gaussians' likelihood
    else:
        classes = tuple(
            Enrolled(str(label), tuple(Repeat(tuple(map(float, one)), 1) for one in drawn[label]))
            for label in told
        )
        correction = Correction(case.novelty, case.temperature, names, classes)
        names, centroids = correction.labels, correction.centroids
        scores = correction.apply(case.logits, case.embeddings).astype(np.float64) / case.temperature
    apart = np.sqrt(_squared(case.embeddings, centroids, spread).min(axis=1))
    return _measured(case, names, scores, apart > case.novelty.threshold)


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


def _halves(
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


def _squared(embeddings: NDArray[np.float32], centroids: Scores, spread: Scores) -> Scores:
    found: Scores = np.mean(((embeddings[:, None, :] - centroids) / spread) ** 2, axis=2)
    return found


def _measured(case: Case, names: tuple[str, ...], scores: Scores, alien: NDArray[np.bool_]) -> Measures:
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    confidence = (shares / shares.sum(axis=1, keepdims=True)).max(axis=1)
    truth = case.labels.astype(np.str_)
    best = np.array(names)[scores.argmax(axis=1)]
    said = np.where(alien, UNKNOWN, best)
    known, new, strange = (
        np.isin(case.labels, case.known),
        case.labels == case.new,
        case.labels == case.strange,
    )
    answered = (known | new) & ~alien
    place, gap = np.minimum((confidence * 10).astype(np.int64), 9), 0.0
    for number in range(10):
        some = answered & (place == number)
        gap += abs(float(confidence[some].sum() - (best[some] == truth[some]).sum()))
    asked = known | new
    return Measures(
        f1=macro_f1(truth[asked].tolist(), said[asked].tolist()),
        new=_share(said[new] == str(case.new)),
        known=_share(said[known] == truth[known]),
        false_unknown=_share(alien[known]),
        rejected=_share(alien[strange]),
        ece=gap / max(int(answered.sum()), 1),
    )


def _share(hits: NDArray[np.bool_]) -> float:
    return float(hits.mean()) if len(hits) else float("nan")


def _told(found: Sequence[Sequence[Measures]]) -> list[str]:
    """Mean ± standard deviation over draws of the mean over a draw's people, in %."""
    cells = []
    for name in Measures.__dataclass_fields__:
        means = [_mean([getattr(each, name) for each in draw]) for draw in found]
        sound = np.array([mean for mean in means if not np.isnan(mean)])
        cells.append(f"{100 * sound.mean():.1f} ± {100 * sound.std():.1f}" if len(sound) else "–")
    return cells


def _mean(values: Sequence[float]) -> float:
    sound = [value for value in values if not np.isnan(value)]
    return float(np.mean(sound)) if sound else float("nan")


def main(
    corpus: Annotated[Path | None, typer.Argument(help="Recordings, .npz; SPAR if none.")] = None,
    recipe: Annotated[Path, typer.Option(help="Its picture, base and head.")] = Path(
        "training/recipes/shoulder.toml"
    ),
    draws: Annotated[int, typer.Option(min=1, help="Of people and classes.")] = 20,
) -> None:
    """Print what enrolment gains, beside no enrolment and the nearest prototype."""
    seen = see(read_npz(corpus) if corpus else spar.load(), recipe)
    drawn = [list(cases(seen, _FIRST_DRAW + draw)) for draw in range(draws)]
    people = sum(map(len, drawn))
    name = corpus.stem if corpus else "SPAR"
    table = Table(title=f"{name}: {draws} draws, {people} enrolments, in %, mean ± deviation over draws")
    for heading in ("method", "repeats", "macro-F1", "new", "known", "false unknown", "rejected", "ECE"):
        table.add_column(heading, no_wrap=True)
    for method in ("none", "prototype", "enrolled", "prototype + known", "enrolled + known", "known alone"):
        for budget in BUDGETS if method != "none" else (0,):
            found = [
                [
                    scored(case, method, budget, np.random.default_rng((draw, at)))
                    for at, case in enumerate(one)
                ]
                for draw, one in enumerate(drawn)
            ]
            table.add_row(method, str(budget), *_told(found))
    Console(width=140).print(table)


if __name__ == "__main__":
    typer.run(main)

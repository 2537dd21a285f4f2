"""What enrolment gains on people whom the model never saw, and what it costs.

`python -m img2imu_training.enrolment [CORPUS.npz]` prints a table; without a corpus it is about SPAR. With
`--strangers FOLDER` it is the one of `enrolment_strangers`. In each draw half of the people train a model, in
closed form and without two of the classes, two calibrate it, and the rest enrol one of the two from the first
60 % of each of their recordings. Judged are windows after that, one by one, without smoothing; the other
class left out says how well the unknown is still rejected.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.random import Generator
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from img2imu_edge.decision import UNKNOWN
from img2imu_edge.enrol.apply import Correction
from img2imu_edge.enrol.profile import Enrolled, Repeat
from img2imu_edge.evaluation import macro_f1
from img2imu_training import spar
from img2imu_training.enrolment_cases import BUDGETS, FIRST_DRAW, Case, cases, see, told
from img2imu_training.enrolment_strangers import strangers_table
from img2imu_training.recipe import read_recipe
from img2imu_training.recordings import read_npz

Scores = NDArray[np.float64]


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


def _row(found: Sequence[Sequence[Measures]]) -> list[str]:
    """Each measure over draws, of the mean over a draw's people."""
    names = Measures.__dataclass_fields__
    return [told([_mean([getattr(each, name) for each in draw]) for draw in found]) for name in names]


def _mean(values: Sequence[float]) -> float:
    sound = [value for value in values if not np.isnan(value)]
    return float(np.mean(sound)) if sound else float("nan")


def main(
    corpus: Annotated[Path | None, typer.Argument(help="Recordings, .npz; SPAR if none.")] = None,
    recipe: Annotated[Path, typer.Option(help="Its picture, base and head.")] = Path(
        "training/recipes/shoulder.toml"
    ),
    draws: Annotated[int, typer.Option(min=1, help="Of people and classes.")] = 20,
    strangers: Annotated[
        Path | None,
        typer.Option(help="Folder with .npz of other motion: say how much of it is called unknown instead."),
    ] = None,
) -> None:
    """Print what enrolment gains, beside no enrolment and the nearest prototype."""
    seen = see(read_npz(corpus) if corpus else spar.load(), read_recipe(recipe))
    if strangers:
        Console(width=140).print(strangers_table(seen, strangers, corpus.stem if corpus else "spar", draws))
        return
    drawn = [list(cases(seen, FIRST_DRAW + draw)) for draw in range(draws)]
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
            table.add_row(method, str(budget), *_row(found))
    Console(width=140).print(table)


if __name__ == "__main__":
    typer.run(main)

"""Fine-tuning: from recordings of people's own to a model with honest figures, without a word to a console.

`gather` reads the recordings, `plan` turns options into a recipe and refuses what cannot work, `finetune`
trains and judges. What is said on the way is in notices.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np

from img2imu_edge.errors import RecordingError, TrainingError
from img2imu_edge.samples import ACCELEROMETER, GYROSCOPE
from img2imu_edge.spec import SpectrogramSpec
from img2imu_training import spar
from img2imu_training.checks import Notice, listed
from img2imu_training.evaluate import evaluation_windows, part
from img2imu_training.fit import FitOptions, Learner
from img2imu_training.gather import ONE_PERSON, read_recordings, resample
from img2imu_training.label_budget import label_budget
from img2imu_training.progress import Unwatched, Watch
from img2imu_training.recipe import (
    DataOptions,
    DecisionOptions,
    EvaluationOptions,
    NetworkOptions,
    PictureOptions,
    Recipe,
)
from img2imu_training.recordings import Corpus
from img2imu_training.report.contents import Budget
from img2imu_training.train import Trained, train
from img2imu_training.windows import Windows

PRESET = "motion"

PRESET_S = 5.0
"""Seconds of a window that the preset's durations suit."""

SHORT_S = 4.0
"""Windows shorter than this take the preset's durations in proportion; longer ones have more columns."""

GROUPS = 5
"""Groups that people are parted into, where there are as many."""

FEW = 5
"""Labelled windows of the rarest class up to which gradient descent does more harm than good."""

SMOOTHING, SMOOTHING_HOP_S = 0.6, 0.5
"""Weight of the past in a decision at this hop; at another, the same time in seconds."""


@dataclass(frozen=True, slots=True)
class FinetuneOptions:
    """What a user decides.

    Attributes:
        base: What the backbone starts from; see `load_base`.
        window: Seconds of a window.
        hop: Seconds between decisions.
        sensors: The accelerometer, with the gyroscope, or whatever there is.
        rate: Sampling rate in Hz that recordings are brought to; None: the one that most of them have.
        keep_out: People who are in no training, tuning or threshold.
        tune: Steps of gradient descent on the whole network; 0 leaves the backbone frozen.
        false_alarm: Share of known windows of unseen people that may be called unknown.
        seed: Of all randomness.
        name: Of the model; the recordings' by default.
        placement: Where the sensor was worn; what the recordings say by default.
        fit: How to learn, but for the steps.
    """

    base: str = "tiny"
    window: float = PRESET_S
    hop: float = 0.5
    sensors: Literal["acc", "acc+gyr", "auto"] = "auto"
    rate: float | None = None
    keep_out: tuple[str, ...] = ()
    tune: int = 0
    false_alarm: float = 0.05
    seed: int = 0
    name: str = ""
    placement: str = ""
    fit: FitOptions = field(default_factory=FitOptions)

    def __post_init__(self) -> None:
        if not 0.5 <= self.window <= 60:
            raise TrainingError(f"a window of {self.window:g} s is not between 0.5 and 60 s")
        if not 0.02 <= self.hop <= 60:
            raise TrainingError(f"a hop of {self.hop:g} s is not between 0.02 and 60 s")
        if not 0 < self.false_alarm < 1:
            raise TrainingError(f"a share of {self.false_alarm:g} false alarms is not between 0 and 1")


@dataclass(frozen=True, slots=True)
class Task:
    """Recordings and how to learn from them.

    Attributes:
        recipe: How.
        corpus: From what: the people in training.
        windows: Cut from it.
        learner: What learns.
        notices: What its owner should know.
    """

    recipe: Recipe
    corpus: Corpus
    windows: Windows
    learner: Learner
    notices: tuple[Notice, ...]

    @property
    def group(self) -> Literal["people", "sessions"]:
        """What is held out."""
        return "sessions" if ONE_PERSON in self.corpus.about else "people"

    @property
    def window_s(self) -> float:
        """Seconds of a window, to the sample."""
        return float(self.windows.samples.shape[1] / self.corpus.rate)


@dataclass(frozen=True, slots=True)
class Finetuned:
    """The result.

    Attributes:
        trained: The model.
        budget: Whether more labels would help.
    """

    trained: Trained
    budget: Budget


def gather(recordings: str, options: FinetuneOptions) -> tuple[Corpus, tuple[Notice, ...]]:
    """Read a folder of CSV recordings, a CSV, an `.npz` corpus, or `spar`.

    Raises:
        RecordingError: If there is nothing to learn from; see `read_recordings`.
    """
    if recordings == "spar":
        corpus, notices = resample(spar.load(), options.rate)
        return corpus, tuple(notices)
    path = Path(recordings)
    if not path.exists():
        raise RecordingError(
            f"there are no recordings at {path}; give a folder of CSV files, a CSV, an .npz corpus, or the "
            "word spar for recordings to try it with"
        )
    return read_recordings(path, options.rate, options.window)


def plan(recordings: str, corpus: Corpus, notices: tuple[Notice, ...], options: FinetuneOptions) -> Task:
    """Turn options into a recipe, and refuse what cannot work before any time is spent on it.

    Args:
        recordings: Where the corpus comes from, for the card.
        corpus: From `gather`.
        notices: What is known of it.
        options: What the user decides.

    Raises:
        RecordingError: If the recordings lack a sensor, a person, enough people or enough of a class.
        ModelError: If there is no such base, or it is damaged.
    """
    corpus = _kept(corpus.only(_channels(corpus, options.sensors)), options.keep_out)
    recipe = _recipe(recordings, corpus, options)
    windows = evaluation_windows(recipe, corpus)
    _check_windows(corpus, windows, options)
    corpus = corpus.of(tuple(map(str, np.unique(windows.subjects))))
    windows = evaluation_windows(recipe, corpus)
    recipe = replace(recipe, evaluation=EvaluationOptions(_groups(corpus, windows, options.seed), seeds=1))
    recipe, about = _cautious(recipe, corpus, windows)
    return Task(recipe, corpus, windows, recipe.learner(corpus.rate), (*notices, *about))


def finetune(task: Task, watch: Watch | None = None) -> Finetuned:
    """Train on everyone, and judge on each group of people by a network that never saw it.

    Args:
        task: From `plan`.
        watch: Told how far it is.
    """
    watch = watch or Unwatched()
    trained = train(task.recipe, task.corpus, watch, task.learner)
    budget = label_budget(task.learner, task.windows, trained.folds, task.recipe.seed, watch)
    return Finetuned(trained, budget)


def _channels(corpus: Corpus, sensors: str) -> tuple[str, ...]:
    both = set(GYROSCOPE) <= set(corpus.channels)
    if sensors == "acc+gyr" and not both:
        raise RecordingError(
            f"{corpus.name} has no gyroscope in all of its recordings; take --sensors acc, or record with "
            "gyr_x, gyr_y and gyr_z"
        )
    return ACCELEROMETER + GYROSCOPE if both and sensors != "acc" else ACCELEROMETER


def _kept(corpus: Corpus, keep_out: tuple[str, ...]) -> Corpus:
    what = "session" if ONE_PERSON in corpus.about else "person"
    strangers = [who for who in keep_out if who not in corpus.subjects]
    if strangers:
        raise RecordingError(
            f"{corpus.name} has no {what} {strangers[0]!r} to keep out; there are: "
            f"{', '.join(corpus.subjects)}"
        )
    left = tuple(who for who in corpus.subjects if who not in keep_out)
    if len(left) < 2:
        raise RecordingError(
            f"with {listed(keep_out)} kept out, {listed(left) or 'nobody'} is left; it takes two to learn "
            f"from one {what} and judge by another. Record more, or keep fewer out"
        )
    return corpus.of(left)


def _recipe(recordings: str, corpus: Corpus, options: FinetuneOptions) -> Recipe:
    """The recipe, with groups still to be chosen."""
    scale = options.window / PRESET_S if options.window < SHORT_S else 1.0
    name = options.name or corpus.name
    recipe = Recipe(
        name=name,
        description=f"{len(corpus.classes)} classes: {', '.join(corpus.classes)}",
        license="NOASSERTION",  # SPDX's word for: it is not ours to say
        seed=options.seed,
        data=DataOptions(
            corpus=recordings,
            channels=corpus.channels,
            keep_out=options.keep_out,
            placement=options.placement or str(corpus.about.get("placement", "")),
        ),
        picture=PictureOptions(PRESET, columns=1, hop_columns=1, scale=scale),
        network=NetworkOptions(options.base),
        decision=DecisionOptions(
            false_alarm=options.false_alarm,
            smoothing=round(SMOOTHING ** (options.hop / SMOOTHING_HOP_S), 3),
            margin=0.1,
            min_coverage=0.6,
        ),
        evaluation=EvaluationOptions(folds=GROUPS, seeds=1),
        fit=replace(options.fit, tune=replace(options.fit.tune, steps=options.tune)),
    )
    try:
        seen = recipe.plan(corpus.rate)
    except ValueError as error:
        raise RecordingError(
            f"windows of {options.window:g} s at {corpus.rate:g} Hz hold too little to see: {error}. Take a "
            "longer --window, or record at a higher rate"
        ) from error
    picture = replace(
        recipe.picture,
        columns=(round(options.window * corpus.rate) - seen.frame) // seen.hop + 1,
        hop_columns=max(1, round(options.hop * corpus.rate / seen.hop)),
    )
    return replace(recipe, picture=picture)


def _check_windows(corpus: Corpus, windows: Windows, options: FinetuneOptions) -> None:
    """Refuse classes that nothing can be learned of, or that nobody can be asked about."""
    longest, window_s = _longest(corpus), options.window
    nobodys = [name for name, most in zip(corpus.classes, longest, strict=True) if not most]
    if nobodys:
        raise RecordingError(
            f"{corpus.name} has nobody left who does {listed(map(repr, nobodys))}; keep out somebody else, "
            "or record it with others, too"
        )
    absent = [k for k in range(len(corpus.classes)) if not np.any(windows.labels == k)]
    if absent:
        names = listed(f"{corpus.classes[k]!r} (at most {longest[k]:.1f} s)" for k in absent)
        if min(longest[k] for k in absent) >= window_s:
            raise RecordingError(f"a --hop of {options.hop:g} s passes over {names}; take a shorter one")
        # Windows start on a grid and may hold a fifth of something else, so that this much always fits.
        fits = int(min(longest[k] for k in absent) * 9) / 10
        cure = f"--window {fits:g} would fit; or r" if 0.5 <= fits < window_s else "R"
        raise RecordingError(
            f"no labelled stretch fills a window of {window_s:g} s: {names}. {cure}ecord each for longer "
            "without a pause, or leave its label empty"
        )
    what = "session" if ONE_PERSON in corpus.about else "person"
    single: list[str] = []
    shorter = ""
    for number, name in enumerate(corpus.classes):
        mine = windows.labels == number
        who = np.unique(windows.subjects[mine])
        if len(who) == 1:
            single.append(f"{name!r} ({mine.sum()} window{'s' if mine.sum() > 1 else ''} of {who[0]})")
            if longest[number] < 2 * window_s:  # others may have done it, only not for as long
                shorter = "take a shorter --window, "
    if single:
        raise RecordingError(
            f"from one {what} only: {listed(single)}. A class is learned from some and judged by others; "
            f"{shorter}record it in one more {what}, join it with another class, or leave its label empty"
        )


def _longest(corpus: Corpus) -> list[float]:
    """Seconds of the longest unbroken stretch of each class."""
    found = [0] * len(corpus.classes)
    for session in corpus.sessions:
        edges = np.flatnonzero(np.diff(session.labels)) + 1
        for stretch in np.split(session.labels, edges):
            if len(stretch) and stretch[0] >= 0:
                found[stretch[0]] = max(found[stretch[0]], len(stretch))
    return [samples / corpus.rate for samples in found]


def _groups(corpus: Corpus, windows: Windows, seed: int) -> int:
    """How many groups to hold out: few, but so that the others always show every class."""
    everyone = corpus.subjects
    for folds in range(min(GROUPS, len(everyone)), len(everyone)):
        rests = [~np.isin(windows.subjects, test) for test in part(everyone, folds, seed)]
        if all(len(np.unique(windows.labels[rest])) == len(corpus.classes) for rest in rests):
            return folds
    return len(everyone)


def _cautious(recipe: Recipe, corpus: Corpus, windows: Windows) -> tuple[Recipe, list[Notice]]:
    """The recipe without what would do harm to such recordings, and what there is to say about it."""
    notices = []
    shown, wanted = recipe.spec(corpus.rate).f_max, SpectrogramSpec.preset(PRESET).f_max
    if shown < wanted:
        text = (
            f"{corpus.rate:g} Hz recordings show motion up to {shown:g} Hz, where the network is used to "
            f"{wanted:g}; what is faster than that is not seen. Most of what people do is slower."
        )
        notices.append(Notice("note", text))
    rarest = int(np.bincount(windows.labels).min())
    if recipe.fit.tune.steps and rarest <= FEW:
        text = (
            f"The rarest class has {rarest} labelled windows: with up to {FEW}, gradient descent does more "
            "harm than good, and the backbone stays as it is."
        )
        notices.append(Notice("warning", text))
        recipe = replace(recipe, fit=replace(recipe.fit, tune=replace(recipe.fit.tune, steps=0)))
    return recipe, notices

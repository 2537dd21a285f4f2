"""Real windows for an export: of the people in training to calibrate on, of people kept out to check on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from img2imu_edge.card import ModelCard
from img2imu_edge.errors import ModelError
from img2imu_edge.spectrogram import SpectrogramPlan
from img2imu_export.extras import need
from img2imu_export.targets import Samples

FEWEST = 32
"""Windows that a quantiser must see at least: with fewer, ranges are those of a few seconds of motion."""


@dataclass(frozen=True)
class Evidence:
    """Labelled windows.

    Attributes:
        calibration: (windows, samples, axes) of people in training, as many of each class and each person as
            there are.
        samples: (windows, samples, axes) of people kept out of training, at the card's decision hop; of those
            in training where nobody was kept out.
        labels: (windows,) int64 classes of `samples`.
        people: Whose `samples` are.
        strangers: Whether they were kept out.
        lacking: Classes without a window to calibrate on.
        classes: Names of the classes.
    """

    calibration: Samples
    samples: Samples
    labels: NDArray[np.int64]
    people: tuple[str, ...]
    strangers: bool
    lacking: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()

    @property
    def notices(self) -> list[str]:
        """What somebody who relies on the outcome should know."""
        found = []
        if self.lacking:
            found.append(
                f"no window of {', '.join(self.lacking)} in training: the quantiser does not see what it "
                "looks like; export with the --data and --corpus that the model was trained on"
            )
        if not self.strangers:
            found.append(
                "nobody was kept out of training: the figures below are of people that the network knows"
            )
        return found

    def check(self) -> None:
        """See that there is enough to quantise by.

        Raises:
            ModelError: If there is not.
        """
        if len(self.calibration) < FEWEST:
            raise ModelError(
                f"{len(self.calibration)} windows are too few to quantise by, {FEWEST} is the least: ask for "
                "more with --windows, record more, or export float32: --to onnx-fp32"
            )


def gather(card: ModelCard, corpus: str | None, data: Path | None, count: int) -> Evidence:
    """Cut windows from the recordings that a card's model was trained on.

    Args:
        card: Its provenance says who was trained on and who was kept out.
        corpus: `spar`, or a file or folder within `data`; None takes what the card says.
        data: Directory of corpora that do not come with a package.
        count: Windows to calibrate on.

    Raises:
        MissingExtraError: If the training package's needs are not installed.
        ModelError: If the card does not say whose recordings are whose, or has other classes; if there is no
            window.
        RecordingError: If the corpus cannot be read.
    """
    windows = need("img2imu_training.windows")
    try:
        trained, kept_out = (tuple(card.provenance["subjects"][key]) for key in ("trained", "kept_out"))
        recorded = card.provenance["data"]
        name = corpus or str(recorded.get("recordings") or recorded["name"])
    except (KeyError, TypeError, AttributeError) as error:
        raise ModelError(
            "the card's provenance does not name its data and subjects; "
            "train the model again with: img2imu train"
        ) from error
    loaded = _load(name, data, card.input.rate).only(card.input.channels)
    if loaded.classes != card.labels or loaded.rate != card.input.rate:
        raise ModelError(
            f"the corpus {name} has other classes or another rate than the card; "
            "name the recordings that it was trained on with --corpus and --data"
        )
    plan = SpectrogramPlan(card.spectrogram, card.input.rate, len(card.input.channels))

    def cut(people: tuple[str, ...]) -> Any:
        length = windows.window_samples(plan, card.input.columns)
        return windows.cut(loaded.of(people), length, plan.hop * card.input.hop_columns)

    seen, unseen = cut(trained), cut(kept_out or trained)
    if not len(seen) or not len(unseen):
        raise ModelError(
            f"{name} has no labelled window of {', '.join(trained if not len(seen) else kept_out)}; "
            "name the recordings that it was trained on with --corpus and --data"
        )
    drawn = draw(seen.labels, seen.subjects, count)
    return Evidence(
        calibration=seen.samples[drawn],
        samples=unseen.samples,
        labels=unseen.labels,
        people=kept_out or trained,
        strangers=bool(kept_out),
        classes=card.labels,
        lacking=tuple(
            label for k, label in enumerate(card.labels) if k not in set(seen.labels[drawn].tolist())
        ),
    )


def draw(
    labels: NDArray[np.int64], subjects: NDArray[np.str_], count: int, seed: int = 0
) -> NDArray[np.int64]:
    """Draw windows such that every class of every person has as many as there are, up to the same number.

    Args:
        labels: (windows,) classes.
        subjects: (windows,) whose they are.
        count: Windows to draw.
        seed: Of the draw.

    Returns:
        (at most count,) int64 indices, ascending.
    """
    order = np.random.default_rng(seed).permutation(len(labels))
    turns, met = np.empty(len(labels), np.int64), dict[tuple[int, str], int]()
    for place, i in enumerate(order):
        cell = (int(labels[i]), str(subjects[i]))
        turns[place] = met[cell] = met.get(cell, -1) + 1
    drawn: NDArray[np.int64] = np.sort(order[np.argsort(turns, kind="stable")[:count]])
    return drawn


def _load(name: str, data: Path | None, rate: float) -> Any:
    """A corpus by its name; without a data directory, also recordings by their own path."""
    if data is None and Path(name).exists():
        corpus, _ = need("img2imu_training.gather").read_recordings(Path(name), rate)
        return corpus
    return need("img2imu_training.recipe").load_corpus(name, data)

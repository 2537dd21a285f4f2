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


@dataclass(frozen=True)
class Evidence:
    """Labelled windows.

    Attributes:
        calibration: (windows, samples, axes) of people in training, drawn evenly.
        samples: (windows, samples, axes) of people kept out of training, at the card's decision hop; of those
            in training where nobody was kept out.
        labels: (windows,) int64 classes of `samples`.
        people: Whose `samples` are.
        strangers: Whether they were kept out.
    """

    calibration: Samples
    samples: Samples
    labels: NDArray[np.int64]
    people: tuple[str, ...]
    strangers: bool


def gather(card: ModelCard, corpus: str | None, data: Path | None, count: int) -> Evidence:
    """Cut windows from the recordings that a card's model was trained on.

    Args:
        card: Its provenance says who was trained on and who was kept out.
        corpus: `spar`, or a file or folder within `data`; None takes what the card says.
        data: Directory of corpora that do not come with a package.
        count: Windows to calibrate on.

    Raises:
        MissingExtraError: If the training package's needs are not installed.
        ModelError: If the card does not say whose recordings are whose, or has other classes.
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
        raise ModelError(f"the corpus {name} has other classes or another rate than the card")
    plan = SpectrogramPlan(card.spectrogram, card.input.rate, len(card.input.channels))

    def cut(people: tuple[str, ...]) -> Any:
        length = windows.window_samples(plan, card.input.columns)
        return windows.cut(loaded.of(people), length, plan.hop * card.input.hop_columns)

    seen, unseen = cut(trained), cut(kept_out or trained)
    drawn = np.random.default_rng(0).permutation(len(seen))[:count]
    return Evidence(
        calibration=seen.samples[np.sort(drawn)],
        samples=unseen.samples,
        labels=unseen.labels,
        people=kept_out or trained,
        strangers=bool(kept_out),
    )


def _load(name: str, data: Path | None, rate: float) -> Any:
    """A corpus by its name; without a data directory, also recordings by their own path."""
    if data is None and Path(name).exists():
        corpus, _ = need("img2imu_training.gather").read_recordings(Path(name), rate)
        return corpus
    return need("img2imu_training.recipe").load_corpus(name, data)

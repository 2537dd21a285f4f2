"""Recipe: everything that reproduces a trained model, as one TOML file."""

from __future__ import annotations

import math
import tomllib
import warnings
from dataclasses import dataclass, field, replace
from pathlib import Path

from img2imu_edge.errors import RecordingError
from img2imu_edge.spec import SpectrogramSpec
from img2imu_edge.spectrogram import SpectrogramPlan
from img2imu_edge.strict import StrictError, from_json
from img2imu_training import spar
from img2imu_training.bases import load_base
from img2imu_training.fit import FitOptions, Learner
from img2imu_training.gather import read_recordings
from img2imu_training.network import WHOLE, Pooling
from img2imu_training.recordings import Corpus, read_npz


@dataclass(frozen=True, slots=True)
class DataOptions:
    """What to learn from.

    Attributes:
        corpus: `spar`, or a file `….npz` or folder of CSV recordings within the data directory.
        channels: Channels to use, 3 or 6.
        keep_out: People who are in no training, tuning or threshold.
        placement: Where the sensor was worn, for the card.
    """

    corpus: str
    channels: tuple[str, ...]
    keep_out: tuple[str, ...]
    placement: str


@dataclass(frozen=True, slots=True)
class PictureOptions:
    """What the network sees.

    Attributes:
        preset: Name of the spectrogram.
        columns: Columns of a window.
        hop_columns: Columns between decisions.
        scale: The preset's durations are multiplied by it: 0.5 for events of two seconds.
    """

    preset: str
    columns: int
    hop_columns: int
    scale: float = 1.0


@dataclass(frozen=True, slots=True)
class NetworkOptions:
    """The network.

    Attributes:
        base: What the backbone starts from; see `load_base`.
        embedding: Length of the embedding.
        pooling: What the head sees of the backbone's map.
    """

    base: str
    embedding: int = 128
    pooling: Pooling = WHOLE


@dataclass(frozen=True, slots=True)
class DecisionOptions:
    """What the card says about decisions, beside what is fitted; see `DecisionSpec`.

    Attributes:
        false_alarm: Share of known windows of unseen people that may be called unknown.
        smoothing: Weight of the past in the running mean of the scores.
        margin: Lead that a new label needs.
        min_coverage: Least share of real samples.
    """

    false_alarm: float
    smoothing: float
    margin: float
    min_coverage: float


@dataclass(frozen=True, slots=True)
class EvaluationOptions:
    """How the recipe is judged.

    Attributes:
        folds: Groups that the people are parted into; each is held out once.
        seeds: Repetitions, each with groups and initial weights of its own.
    """

    folds: int
    seeds: int


@dataclass(frozen=True, slots=True)
class Recipe:
    """The recipe."""

    name: str
    description: str
    license: str
    seed: int
    data: DataOptions
    picture: PictureOptions
    network: NetworkOptions
    decision: DecisionOptions
    evaluation: EvaluationOptions
    fit: FitOptions = field(default_factory=FitOptions)

    def spec(self, rate: float) -> SpectrogramSpec:
        """The spectrogram at a sampling rate in Hz: up to what that rate can show, with as many rows."""
        spec = SpectrogramSpec.preset(self.picture.preset).scaled(self.picture.scale)
        if spec.frequencies == "linear":
            return spec
        # Down to a whole number of hertz, but for rates so low that none is left.
        highest = math.floor(rate / 2) or rate / 2
        return replace(spec, f_max=min(spec.f_max, highest))

    def plan(self, rate: float) -> SpectrogramPlan:
        """The spectrogram made ready for a sampling rate in Hz.

        Raises:
            ValueError: If there is no such spectrogram at this rate.
        """
        return SpectrogramPlan(self.spec(rate), rate, len(self.data.channels))

    def corpus(self, data: Path | None) -> Corpus:
        """Load the recordings, without the people who are kept out.

        Args:
            data: Directory of corpora that do not come with a package.
        """
        loaded = load_corpus(self.data.corpus, data).only(self.data.channels)
        loaded.of(self.data.keep_out)
        return loaded.of(tuple(s for s in loaded.subjects if s not in self.data.keep_out))

    def learner(self, rate: float) -> Learner:
        """What learns the task, at the recordings' rate in Hz."""
        base = load_base(self.network.base, self.seed)
        network = self.network
        return Learner(
            base, self.plan(rate), self.picture.columns, network.embedding, self.fit, network.pooling
        )


def read_recipe(path: Path) -> Recipe:
    """Read a recipe.

    Raises:
        RecordingError: If it cannot be read or a key is missing, unknown or of the wrong type.
    """
    try:
        return from_json(Recipe, tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, tomllib.TOMLDecodeError, StrictError, UnicodeDecodeError) as error:
        raise RecordingError(f"{path} is not a recipe: {error}") from error


def load_corpus(name: str, data: Path | None) -> Corpus:
    """Load a corpus by its name.

    What is doubtful about a folder of recordings is said as a Python warning.

    Raises:
        RecordingError: If it lies in the data directory and none was given.
    """
    if name == "spar":
        return spar.load()
    if data is None:
        raise RecordingError(f"{name} does not come with a package; say where it lies with --data DIR")
    if name.endswith(".npz"):
        return read_npz(data / name)
    corpus, notices = read_recordings(data / name)
    for notice in notices:
        if notice.level == "warning":
            warnings.warn(notice.text, stacklevel=2)
    return corpus

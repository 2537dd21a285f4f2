"""Recipe of a pre-training run: everything that makes its backbone again, as one TOML file."""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from img2imu_edge.errors import RecordingError
from img2imu_edge.spec import SpectrogramSpec
from img2imu_edge.strict import StrictError, from_json
from img2imu_training.backbones import BackboneName
from img2imu_training.pretrain.objectives import ObjectiveOptions
from img2imu_training.pretrain.views import Layout, ViewOptions, Views

Precision = Literal["32-true", "bf16-mixed", "16-mixed"]


@dataclass(frozen=True, slots=True)
class PictureOptions:
    """The pictures that the backbone sees.

    Attributes:
        rows: Rows; frequency, lowest first.
        columns: Columns; time.
        preset: The spectrogram whose levels, frequencies and decibels the views and probes go by.
    """

    rows: int = 32
    columns: int = 32
    preset: str = "motion"

    def __post_init__(self) -> None:
        _ = self.layout

    @property
    def spec(self) -> SpectrogramSpec:
        """The spectrogram."""
        return SpectrogramSpec.preset(self.preset)

    @property
    def layout(self) -> Layout:
        """What each row shows."""
        return Layout.of(self.spec, self.rows, self.columns)


@dataclass(frozen=True, slots=True)
class CorpusOptions:
    """Pictures to learn from.

    Attributes:
        kind: `photographs` from folders or tar shards; `formula_images` and `formula_motion` need no data.
        weight: Share of the batches, relative to the other corpora.
        paths: Folders and shards of photographs; `--images` on the command line replaces them.
        license: Terms of the pictures, for the provenance.
        options: The kind's own; see `img2imu_training.pretrain.data`.
    """

    kind: Literal["photographs", "formula_images", "formula_motion"]
    weight: float = 1.0
    paths: tuple[str, ...] = ()
    license: str = ""
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.weight > 0:
            raise ValueError("weight must be positive")
        if self.paths and self.kind != "photographs":
            raise ValueError(f"{self.kind} is made by formula and takes no paths")


@dataclass(frozen=True, slots=True)
class OptimiserOptions:
    """How the weights follow the gradient.

    Attributes:
        name: `adamw`, or `sgd` with a momentum of 0.9 as MoCo has on ImageNet.
        rate: Highest learning rate; it falls to 0 along a cosine.
        warmup: Steps over which the rate rises from 0, evenly.
        decay: Weight decay of matrices and kernels; biases and norms have none.
        clip: Largest norm of the gradient.
    """

    name: Literal["adamw", "sgd"] = "adamw"
    rate: float = 2e-3
    warmup: int = 100
    decay: float = 0.05
    clip: float = 1.0

    def __post_init__(self) -> None:
        if not (self.rate > 0 and self.warmup >= 0 and self.decay >= 0 and self.clip > 0):
            raise ValueError("rate and clip must be positive, warmup and decay at least 0")

    def rate_at(self, step: int, steps: int) -> float:
        """The learning rate of a step, from 0, of so many."""
        if step < self.warmup:
            return self.rate * (step + 1) / self.warmup
        done = (step - self.warmup) / max(1, steps - self.warmup)
        return self.rate * 0.5 * (1 + math.cos(math.pi * done))


@dataclass(frozen=True, slots=True)
class ProbeOptions:
    """Labelled recordings that tell, while it runs, what the backbone is worth.

    Attributes:
        corpora: `spar`, or names of `.npz` files in the data directory.
        every: Steps from one probe to the next.
        per_class: Labelled windows of each class.
    """

    corpora: tuple[str, ...] = ()
    every: int = 500
    per_class: int = 10

    def __post_init__(self) -> None:
        if self.every < 1 or self.per_class < 1:
            raise ValueError("every and per_class must be at least 1")


@dataclass(frozen=True, slots=True)
class PretrainRecipe:
    """The recipe.

    Attributes:
        name: Short name.
        description: One line.
        license: Terms of the weights.
        seed: Of all randomness.
        backbone: Which network.
        corpora: What to learn from.
        views: Variations of a picture, in order; both views of a pair use this list.
        objective: What to minimise.
        batch: Pictures in a step, over all processes: more GPUs make it quicker, not different.
        steps: Steps in all.
        picture: The pictures.
        optimiser: The optimiser.
        precision: Arithmetic; `--precision` on the command line replaces it.
        workers: Processes that make batches, for each process that trains.
        checkpoint_every: Steps from one saved state to the next.
        log_every: Steps from one line of the log to the next.
        probe: What is probed.
    """

    name: str
    description: str
    license: str
    seed: int
    backbone: BackboneName
    corpora: tuple[CorpusOptions, ...]
    views: tuple[ViewOptions, ...]
    objective: ObjectiveOptions
    batch: int
    steps: int
    picture: PictureOptions = field(default_factory=PictureOptions)
    optimiser: OptimiserOptions = field(default_factory=OptimiserOptions)
    precision: Precision = "32-true"
    workers: int = 1
    checkpoint_every: int = 1000
    log_every: int = 20
    probe: ProbeOptions = field(default_factory=ProbeOptions)

    def __post_init__(self) -> None:
        if not self.corpora:
            raise ValueError("corpora must name one at least")
        if self.batch < 2:
            raise ValueError("batch must be at least 2: pictures are told apart from each other")
        if min(self.steps, self.checkpoint_every, self.log_every) < 1 or self.workers < 0:
            raise ValueError("steps, checkpoint_every and log_every must be at least 1, workers at least 0")
        self.make_views()

    def make_views(self) -> Views:
        """The variations as a module."""
        return Views(self.views, self.picture.layout)


def read_pretrain_recipe(path: Path) -> PretrainRecipe:
    """Read a recipe.

    Raises:
        RecordingError: If it cannot be read, or a key is missing, unknown, of the wrong type or out of range.
    """
    try:
        return from_json(PretrainRecipe, tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, tomllib.TOMLDecodeError, StrictError, UnicodeDecodeError) as error:
        raise RecordingError(f"{path} is not a recipe of a pre-training: {error}") from error

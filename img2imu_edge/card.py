"""ModelCard: everything about a model that is not weights, and the contract between its makers and its users.

Written by the exporter, embedded in the model file, read by the runtime. Reading is strict: a key that is
missing, unknown or of the wrong type is an error that names it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from img2imu_edge.errors import ModelError
from img2imu_edge.spec import SpectrogramSpec
from img2imu_edge.strict import StrictError, from_json

SCHEMA = 1
"""Version of the card's layout; a card of a newer one is refused."""

_MOST_CELLS = 1 << 22
"""Values of a window, a picture or a front-end's basis: hours of motion; 1000 columns of 4000 rows."""

Form = Literal["picture", "samples"]
"""What a graph takes: the picture that our streaming front-end draws, or samples, and draws it itself."""


@dataclass(frozen=True, slots=True)
class InputSpec:
    """What a model must be fed.

    Attributes:
        channels: Channel names in the order of the training data, 3 (accelerometer) or 6 (with gyroscope).
        rate: Sampling rate in Hz that samples are brought to.
        columns: Spectrogram columns in one window.
        hop_columns: Columns between decisions.
        placement: Where on the body the sensor was worn.
        form: What the graph takes: `picture` (3, rows, columns), or `samples` (samples, channels).
    """

    channels: tuple[str, ...]
    rate: float
    columns: int
    hop_columns: int
    placement: str
    form: Form = "picture"


@dataclass(frozen=True, slots=True)
class Bounds:
    """How far a file may be from the network that it was made of, on its golden vectors.

    Attributes:
        picture: Largest error of a cell of the picture, which goes from 0 to 1.
        logits: Largest error of a logit.
    """

    picture: float
    logits: float


@dataclass(frozen=True, slots=True)
class Novelty:
    """Rejection of windows unlike anything trained on, by distance in the network's embedding.

    The distance of a window is the smallest, over the classes, of the root mean square of
    (embedding − centroid) / spread.

    Attributes:
        centroids: (classes, embedding) mean embedding of each class.
        spread: (embedding,) standard deviation within classes.
        threshold: Distances above it are "unknown".
        false_alarm: Share of windows of known classes, from people the model never saw, that the threshold
            rejects.
    """

    centroids: tuple[tuple[float, ...], ...]
    spread: tuple[float, ...]
    threshold: float
    false_alarm: float


@dataclass(frozen=True, slots=True)
class DecisionSpec:
    """How scores become decisions.

    Attributes:
        temperature: Logits are divided by it before the softmax, so that confidence is honest (Guo et al.,
            2017).
        smoothing: Weight of the past in the running mean of the scores, 0 (none) to below 1.
        margin: A new label must lead the current one by this much, so that decisions do not flicker.
        min_coverage: Least share of real (not lost) samples in a window that is worth a decision.
        novelty: Rejection of the unknown; None turns it off.
    """

    temperature: float = 1.0
    smoothing: float = 0.0
    margin: float = 0.0
    min_coverage: float = 0.6
    novelty: Novelty | None = None

    def __post_init__(self) -> None:
        if not (self.temperature > 0 and 0 <= self.smoothing < 1 and 0 <= self.min_coverage <= 1):
            raise ValueError("temperature must be positive, smoothing in [0, 1), min_coverage in [0, 1]")


@dataclass(frozen=True, slots=True)
class ModelCard:
    """The card.

    Attributes:
        schema: Version of this layout.
        name: Short name.
        description: What it recognises, for people.
        labels: Class names in the order of the logits.
        input: What it must be fed.
        spectrogram: How samples become its picture.
        decision: How its scores become decisions.
        license: SPDX identifier of the weights' licence.
        quantisation: `float32`, or how the integers came about.
        provenance: Where it comes from: data and their licences, recipe, versions.
        metrics: What was measured, and on whom.
        bounds: What `img2imu verify` holds a file to; None before export.
        sha256: Of the `graph`, and of what else travels in the file, in hexadecimal, by name.
    """

    schema: int
    name: str
    description: str
    labels: tuple[str, ...]
    input: InputSpec
    spectrogram: SpectrogramSpec
    decision: DecisionSpec
    license: str
    quantisation: str
    provenance: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    bounds: Bounds | None = None
    sha256: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.labels) < 2 or len(set(self.labels)) < len(self.labels):
            raise ValueError("labels must be two or more different names")
        names = (self.name, self.input.placement, *self.labels, *self.input.channels)
        if not all(name.isprintable() for name in names):
            raise ValueError("names must be printable: they go to terminals")
        if len(self.input.channels) not in (3, 6):
            raise ValueError(f"input.channels must be 3 or 6 names, not {len(self.input.channels)}")
        if self.input.rate <= 0 or self.input.columns < 1 or self.input.hop_columns < 1:
            raise ValueError("input.rate, input.columns and input.hop_columns must be positive")
        _check_sizes(self.input, self.spectrogram)
        novelty = self.decision.novelty
        if novelty and (
            len(novelty.centroids) != len(self.labels)
            or any(len(centroid) != len(novelty.spread) for centroid in novelty.centroids)
        ):
            raise ValueError("decision.novelty needs one centroid a label, each as long as spread")
        if novelty and not min(novelty.spread, default=0.0) > 0:
            raise ValueError("decision.novelty.spread must be positive")

    def to_json(self) -> str:
        """The card as JSON, for embedding in a model file."""
        return json.dumps(asdict(self), ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> ModelCard:
        """Read a card.

        Raises:
            ModelError: If the text is no card of a schema that this version knows; the message names the key.
        """
        try:
            data = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ModelError(f"the model card is damaged: {error}") from error
        if not isinstance(data, dict):
            raise ModelError("the model card is damaged: it is not a JSON object")
        schema = data.get("schema")
        if isinstance(schema, int) and schema > SCHEMA:
            raise ModelError(
                f"the model card has schema {schema}, but this img2imu-edge reads up to {SCHEMA}; "
                "upgrade it with: pip install --upgrade img2imu-edge"
            )
        try:
            return from_json(cls, data)
        except StrictError as error:
            raise ModelError(f"the model card is not valid: {error}; export the model again") from error


def _check_sizes(told: InputSpec, spec: SpectrogramSpec) -> None:
    """Refuse what would take more memory than any wearable's model, before any is taken.

    Raises:
        ValueError: If the window, the picture or the front-end's basis is beyond reason.
    """
    frame, hop = spec.frame_s * told.rate, max(1.0, spec.hop_s * told.rate)
    frequencies = spec.bins if spec.frequencies == "log" else frame / 2 + 1
    levels = max(1, len(spec.levels_s))
    sizes = {
        "a window": frame + told.columns * hop,
        "a picture": len(told.channels) * told.columns * (spec.level_rows + frequencies),
        "the front-end's basis": frame * (levels + 2 * frequencies),
    }
    for name, size in sizes.items():
        if not size <= _MOST_CELLS:
            raise ValueError(f"{name} of {size:.2g} values is beyond any model of ours")

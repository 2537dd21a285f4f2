"""Model: a network and its card, loaded once and shared by every wearable."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from img2imu_edge.card import ModelCard
from img2imu_edge.container import CARD, GOLDEN, Container, unpack
from img2imu_edge.engines import Engine
from img2imu_edge.engines.litert import LiteRtEngine
from img2imu_edge.engines.onnx import OnnxEngine
from img2imu_edge.errors import ModelError
from img2imu_edge.golden import Golden
from img2imu_edge.spectrogram import SpectrogramPlan

_SHIPPED = Path(__file__).parent / "models"
_SIZE_LIMIT = 256 << 20


@dataclass(frozen=True, slots=True)
class Model:
    """A loaded model. It never changes; a `Session` holds what belongs to one wearable.

    Attributes:
        path: The file it came from.
        card: What it was trained on and how its output is read.
        engine: The network.
        plan: The card's spectrogram at the model's rate.
        golden: Real windows by which it can prove itself, if it brings any.
    """

    path: Path
    card: ModelCard
    engine: Engine
    plan: SpectrogramPlan
    golden: Golden | None = None

    @property
    def window_samples(self) -> int:
        """Samples behind one decision."""
        return (self.card.input.columns - 1) * self.plan.hop + self.plan.frame


def shipped_models() -> list[str]:
    """Names of the models that come with the package, for `load_model`."""
    return sorted(path.stem for path in _SHIPPED.glob("*.onnx"))


def load_model(path: str | Path) -> Model:
    """Load a model file. Nothing in a file is ever executed.

    Args:
        path: An ONNX or TFLite file with a model card, or the name of a shipped model such as `shoulder`.

    Returns:
        The model, ready for any number of sessions.

    Raises:
        ModelError: If the file is not a model of ours, is damaged, or its card and its network disagree.
        MissingExtraError: If the engine that it needs is not installed.
    """
    path = _locate(path)
    try:
        return open_model(unpack(path.read_bytes()), path)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error


def open_model(parts: Container, path: Path) -> Model:
    """A model from the parts of its file.

    Args:
        parts: From `unpack`.
        path: Where they come from.

    Raises:
        ModelError: If they are not a model of ours, are damaged, or do not fit each other.
        MissingExtraError: If the engine that it needs is not installed.
    """
    if CARD not in parts.attachments:
        raise ModelError(f"it has no model card ({CARD}), or is cut short; make it with: img2imu export")
    try:
        card = ModelCard.from_json(parts.attachments[CARD].decode("utf-8"))
    except UnicodeDecodeError as error:
        raise ModelError(f"the model card is damaged: {error}") from error
    _check_digests(card, parts)
    engine = LiteRtEngine(parts.graph) if parts.kind == "tflite" else OnnxEngine(parts.graph)
    plan = _check(card, engine)
    golden = Golden.from_bytes(parts.attachments[GOLDEN]) if GOLDEN in parts.attachments else None
    return Model(path, card, engine, plan, golden)


def digests(parts: Container) -> dict[str, str]:
    """SHA-256 of the graph and the golden vectors, as a card holds them."""
    found = {"graph": parts.graph, **{n: v for n, v in parts.attachments.items() if n == GOLDEN}}
    return {name: hashlib.sha256(value).hexdigest() for name, value in found.items()}


def _locate(path: str | Path) -> Path:
    shipped = _SHIPPED / f"{path}.onnx"
    if shipped.parent == _SHIPPED and shipped.is_file():
        return shipped
    path = Path(path)
    if not path.is_file():
        raise ModelError(f"there is no model file {path}; shipped models are: {', '.join(shipped_models())}")
    if path.stat().st_size > _SIZE_LIMIT:
        raise ModelError(f"{path} is larger than {_SIZE_LIMIT >> 20} MiB; that is not a model of ours")
    return path


def _check_digests(card: ModelCard, parts: Container) -> None:
    found = digests(parts)
    for name in sorted({*found, *card.sha256}):
        if found.get(name) != card.sha256.get(name):
            raise ModelError(
                f"its {name} is not what its card was made for (SHA-256): it is damaged or was changed; "
                "get the file again"
            )


def _check(card: ModelCard, engine: Engine) -> SpectrogramPlan:
    """The card's spectrogram at its rate, after checking that the network takes it and answers as told."""
    axes, columns = len(card.input.channels), card.input.columns
    try:
        plan = SpectrogramPlan(card.spectrogram, card.input.rate, axes)
    except ValueError as error:
        raise ModelError(f"its card describes an impossible spectrogram: {error}") from error
    shape: tuple[int, ...] = (3, axes // 3 * plan.rows, columns)
    if card.input.form == "samples":
        shape = ((columns - 1) * plan.hop + plan.frame, axes)
    if (engine.form, engine.input_shape) != (card.input.form, shape):
        raise ModelError(
            f"its card makes a {card.input.form} of {shape}, "
            f"its network takes {engine.form} of {engine.input_shape}"
        )
    if engine.classes != len(card.labels):
        raise ModelError(f"its card has {len(card.labels)} labels, its network {engine.classes} outputs")
    novelty = card.decision.novelty
    if novelty and engine.embedding_size != len(novelty.spread):
        raise ModelError(
            f"its card's centroids have {len(novelty.spread)} numbers, its embedding {engine.embedding_size}"
        )
    return plan

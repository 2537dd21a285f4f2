"""Model: a network and its card, loaded once and shared by every wearable."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from img2imu_edge.card import CARD_KEY, ModelCard
from img2imu_edge.engines import Engine
from img2imu_edge.engines.litert import LiteRtEngine, read_card
from img2imu_edge.engines.onnx import OnnxEngine
from img2imu_edge.errors import ModelError
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
    """

    path: Path
    card: ModelCard
    engine: Engine
    plan: SpectrogramPlan

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
    content = path.read_bytes()
    try:
        engine, card = _open(content)
        return Model(path, card, engine, _check(card, engine))
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error


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


def _open(content: bytes) -> tuple[Engine, ModelCard]:
    """Engine and card, by what the file is and not by what it is called."""
    if content[4:8] == b"TFL3":
        # The card comes last in the file: where it is whole, so is the network, which LiteRT does not check.
        card = _read(read_card(content))
        return LiteRtEngine(content), card
    if content[:1] == b"\x08":  # every ONNX file starts with the field ir_version
        engine = OnnxEngine(content)
        return engine, _read(engine.metadata.get(CARD_KEY))
    raise ModelError("it is neither an ONNX nor a TFLite file")


def _read(card: str | None) -> ModelCard:
    if card is None:
        raise ModelError(f"it has no model card ({CARD_KEY}), or is cut short; make it with: img2imu export")
    return ModelCard.from_json(card)


def _check(card: ModelCard, engine: Engine) -> SpectrogramPlan:
    """The card's spectrogram at its rate, after checking that the network takes it and answers as told."""
    axes = len(card.input.channels)
    try:
        plan = SpectrogramPlan(card.spectrogram, card.input.rate, axes)
    except ValueError as error:
        raise ModelError(f"its card describes an impossible spectrogram: {error}") from error
    shape = (3, axes // 3 * plan.rows, card.input.columns)
    if engine.picture_shape != shape:
        raise ModelError(f"its card makes pictures of {shape}, its network takes {engine.picture_shape}")
    if engine.classes != len(card.labels):
        raise ModelError(f"its card has {len(card.labels)} labels, its network {engine.classes} outputs")
    novelty = card.decision.novelty
    if novelty and engine.embedding_size != len(novelty.spread):
        raise ModelError(
            f"its card's centroids have {len(novelty.spread)} numbers, its embedding {engine.embedding_size}"
        )
    return plan

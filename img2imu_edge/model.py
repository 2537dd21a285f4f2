"""Model: a network and its card, loaded once and shared by every wearable."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from img2imu_edge.card import ModelCard
from img2imu_edge.container import CARD, GOLDEN, SIGNATURE, Container, unpack
from img2imu_edge.engines import Engine
from img2imu_edge.engines.litert import LiteRtEngine
from img2imu_edge.engines.onnx import OnnxEngine
from img2imu_edge.errors import ModelError
from img2imu_edge.golden import Golden
from img2imu_edge.signature import Key, check_signature, fingerprint_of, signed_by
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
        signer: Fingerprint of the key that it says it is signed with: true if `load_model` was given that
            key, a mere claim otherwise; None if it is unsigned.
    """

    path: Path
    card: ModelCard
    engine: Engine
    plan: SpectrogramPlan
    golden: Golden | None = None
    signer: str | None = None

    @property
    def window_samples(self) -> int:
        """Samples behind one decision."""
        return (self.card.input.columns - 1) * self.plan.hop + self.plan.frame


def shipped_models() -> list[str]:
    """Names of the models that come with the package, for `load_model`."""
    return sorted(path.stem for path in _SHIPPED.glob("*.onnx"))


def shipped_files() -> list[Path]:
    """Every model file that comes with the package, of all formats."""
    return sorted(path for path in _SHIPPED.iterdir() if path.suffix in (".onnx", ".tflite"))


def load_model(path: str | Path, trusted_key: Key | None = None) -> Model:
    """Load a model file. Nothing in a file is ever executed as code.

    Args:
        path: An ONNX or TFLite file with a model card, or the name of a shipped model such as `shoulder`.
        trusted_key: Public key of whom the file must come from: a PEM file's path or content. A file that is
            unsigned, signed with another key or changed since is refused before any engine sees its graph.

    Returns:
        The model, ready for any number of sessions.

    Raises:
        ModelError: If the file is not a model of ours, is damaged, its card and its network disagree, or it
            is not signed with the trusted key.
        MissingExtraError: If the engine that it needs is not installed, or what checks signatures.
    """
    if trusted_key is not None:
        fingerprint_of(trusted_key)  # what is wrong with the key is not the file's fault
    try:
        path = _locate(path)
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(
            f"{path} cannot be read: {error.strerror}; see to it that this user may read it and its folder"
        ) from error
    try:
        return open_model(unpack(content), path, trusted_key)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error


def open_model(parts: Container, path: Path, trusted_key: Key | None = None) -> Model:
    """A model from the parts of its file.

    Args:
        parts: From `unpack`.
        path: Where they come from.
        trusted_key: As in `load_model`.

    Raises:
        ModelError: If they are not a model of ours, are damaged, do not fit each other, or are not signed
            with the trusted key.
        MissingExtraError: If the engine that it needs is not installed, or what checks signatures.
    """
    # The order matters: whom it comes from, then that it is whole, and only then is it given to an engine.
    if trusted_key is not None:
        check_signature(parts, trusted_key)
    signer = signed_by(parts)
    card = read_card(parts)
    engine = LiteRtEngine(parts.graph) if parts.kind == "tflite" else OnnxEngine(parts.graph)
    plan = _check(card, engine)
    golden = Golden.from_bytes(parts.attachments[GOLDEN]) if GOLDEN in parts.attachments else None
    model = Model(path, card, engine, plan, golden, signer)
    if golden:
        _check_golden(golden, model)
    return model


def read_card(parts: Container) -> ModelCard:
    """The card of a model file, after checking that everything in the file is what the card was made for.

    Raises:
        ModelError: If there is no card, it is not valid, or its SHA-256 of anything else is not right.
    """
    if CARD not in parts.attachments:
        raise ModelError(f"it has no model card ({CARD}), or is cut short; make it with: img2imu export")
    try:
        card = ModelCard.from_json(parts.attachments[CARD].decode("utf-8"))
    except UnicodeDecodeError as error:
        raise ModelError(f"the model card is damaged: {error}") from error
    _check_digests(card, parts)
    return card


def digests(parts: Container) -> dict[str, str]:
    """SHA-256 of the graph and every attachment but the card and its signature, as a card holds them."""
    attached = {n: v for n, v in parts.attachments.items() if n not in (CARD, SIGNATURE)}
    return {n: hashlib.sha256(v).hexdigest() for n, v in {"graph": parts.graph, **attached}.items()}


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
        if name not in card.sha256:
            raise ModelError(
                f"its card tells no SHA-256 of its {name}, which may come from anyone; "
                "get the file again, or export it again"
            )
        if found.get(name) != card.sha256[name]:
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


def _check_golden(golden: Golden, model: Model) -> None:
    """Check that golden vectors are of this model's sizes."""
    card, plan, windows = model.card, model.plan, len(golden)
    axes, columns = len(card.input.channels), card.input.columns
    wanted = {
        "samples": (windows, model.window_samples, axes),
        "pictures": (windows, 3, axes // 3 * plan.rows, columns),
        "logits": (windows, len(card.labels)),
        "embeddings": (windows, model.engine.embedding_size),
    }
    for name, shape in wanted.items():
        found = getattr(golden, name).shape
        if found != shape:
            raise ModelError(
                f"its golden vectors do not fit its card: {name} of {found}, where it makes {shape}; "
                "export it again"
            )

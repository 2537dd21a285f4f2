"""The model card into and out of a model file.

An ONNX file carries it in `metadata_props`. A TFLite file carries it in a zip behind the flatbuffer, the way
TFLite's metadata keeps its associated files: interpreters read from the front, unzippers from the back.
"""

from __future__ import annotations

import io
import zipfile

from img2imu_edge.card import CARD_KEY, ModelCard
from img2imu_edge.errors import ModelError
from img2imu_export.extras import need

_CARD_FILE = f"{CARD_KEY}.json"
_TFLITE_MARK = b"TFL3"


def embed(content: bytes, card: ModelCard) -> bytes:
    """A model file's bytes with the card in it.

    Args:
        content: An ONNX or TFLite file without a card.
        card: The card.

    Returns:
        The same bytes for the same arguments: no time of writing goes in.

    Raises:
        ModelError: If there is a card already, or the card did not survive.
    """
    if read_card(content) is not None:
        raise ModelError("the model file has a card already")
    filled = _into_tflite(content, card) if _is_tflite(content) else _into_onnx(content, card)
    if read_card(filled) != card:
        raise ModelError("the card did not survive embedding: it must hold nothing but plain JSON values")
    return filled


def read_card(content: bytes) -> ModelCard | None:
    """The card in a model file's bytes, or None without one."""
    if _is_tflite(content):
        text = _from_tflite(content)
    else:
        model = need("onnx").load_model_from_string(content)
        text = {entry.key: entry.value for entry in model.metadata_props}.get(CARD_KEY)
    return None if text is None else ModelCard.from_json(text)


def _is_tflite(content: bytes) -> bool:
    return content[4:8] == _TFLITE_MARK


def _into_onnx(content: bytes, card: ModelCard) -> bytes:
    model = need("onnx").load_model_from_string(content)
    model.metadata_props.add(key=CARD_KEY, value=card.to_json())
    filled: bytes = model.SerializeToString(deterministic=True)
    return filled


def _into_tflite(content: bytes, card: ModelCard) -> bytes:
    file = io.BytesIO(content)
    with zipfile.ZipFile(file, "a") as archive:
        # A bare ZipInfo is dated 1980 and stored uncompressed: the same bytes everywhere, whatever the zlib.
        archive.writestr(zipfile.ZipInfo(_CARD_FILE), card.to_json())
    return file.getvalue()


def _from_tflite(content: bytes) -> str | None:
    if not zipfile.is_zipfile(io.BytesIO(content)):
        return None
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return archive.read(_CARD_FILE).decode("utf-8") if _CARD_FILE in archive.namelist() else None

"""Container: a model file as a graph and what travels with it, without the libraries that made it.

An ONNX file keeps attachments in `metadata_props`. A TFLite file keeps them in a zip behind the flatbuffer,
as TFLite's metadata keeps its associated files: interpreters read from the front, unzippers from the back.
"""

from __future__ import annotations

import base64
import binascii
import io
from dataclasses import dataclass, field
from typing import Literal

from img2imu_edge.archive import has_archive, read_archive
from img2imu_edge.errors import ModelError
from img2imu_edge.protobuf import BYTES, fields
from img2imu_edge.protobuf import field as encoded

CARD = "img2imu.card"
"""The model card, JSON."""

GOLDEN = "img2imu.golden"
"""The golden vectors, a NumPy archive; see `Golden`."""

SIGNATURE = "img2imu.signature"
"""An Ed25519 signature; see `signature`."""

ATTACHMENT_LIMIT = 4 << 20
"""Most bytes that may be attached to a file."""

_OURS = "img2imu."
_CHECKSUM = "img2imu.crc32"
"""Of the card in an ONNX file, which has none as an archive has; the card tells the SHA-256 of the rest."""

_ENDINGS = {CARD: ".json", GOLDEN: ".npz"}
_TFLITE_MARK = b"TFL3"
_METADATA_PROPS = 14
"""Field of ONNX's `ModelProto`; its `StringStringEntryProto` has key = 1 and value = 2."""

_MOST_FIELDS = 1 << 14
"""Fields of an ONNX file's outermost message: its graph is one, each attachment another."""


@dataclass(frozen=True, slots=True)
class Container:
    """The parts of a model file.

    Attributes:
        kind: Format of the graph.
        graph: An ONNX or TFLite file by itself, which any engine runs.
        attachments: By name, such as `CARD`.
    """

    kind: Literal["onnx", "tflite"]
    graph: bytes
    attachments: dict[str, bytes] = field(default_factory=dict)


def unpack(content: bytes) -> Container:
    """Take a model file apart, by what it is and not by what it is called.

    Raises:
        ModelError: If it is of neither kind, is cut short or damaged, or an attachment is unreasonably large
            or there twice.
    """
    if content[4:8] == _TFLITE_MARK:
        return _unpack_tflite(content)
    if content[:1] == b"\x08":  # every ONNX file starts with the field ir_version
        return _unpack_onnx(content)
    raise ModelError("it is neither an ONNX nor a TFLite file")


def pack(parts: Container) -> bytes:
    """Put a model file together; the same bytes for the same parts, for no time of writing goes in.

    Raises:
        ModelError: If the attachments are larger than `unpack` would read.
    """
    _bound("attachments", sum(map(len, parts.attachments.values())))
    return _pack_tflite(parts) if parts.kind == "tflite" else _pack_onnx(parts)


def _bound(name: str, size: int) -> None:
    if size > ATTACHMENT_LIMIT:
        raise ModelError(f"its {name} is larger than {ATTACHMENT_LIMIT >> 20} MiB")


def _unpack_tflite(content: bytes) -> Container:
    if not has_archive(content):
        return Container("tflite", content)
    names = {name + _ENDINGS.get(name, ""): name for name in (CARD, GOLDEN, SIGNATURE)}
    try:
        entries, start = read_archive(content, ATTACHMENT_LIMIT)
    except ModelError as error:
        raise ModelError(f"what is attached to it cannot be read: {error}") from error
    return Container("tflite", content[:start], {names.get(n, n): value for n, value in entries.items()})


def _pack_tflite(parts: Container) -> bytes:
    import zipfile

    file = io.BytesIO(parts.graph)
    if parts.attachments:
        with zipfile.ZipFile(file, "a") as archive:
            for name, value in parts.attachments.items():
                # A bare ZipInfo is dated 1980 and stored uncompressed: the same bytes whatever the zlib.
                archive.writestr(zipfile.ZipInfo(name + _ENDINGS.get(name, "")), value)
    return file.getvalue()


def _unpack_onnx(content: bytes) -> Container:
    graph: list[bytes] = []
    attachments: dict[str, bytes] = {}
    for count, found in enumerate(fields(content)):
        if count >= _MOST_FIELDS:
            raise ModelError("it is no ONNX file, or damaged")
        if found.number == _METADATA_PROPS and found.wire == BYTES:
            key, value = _entry(content, found.inside, found.end)
            name = key.decode("utf-8", "replace")
            if name.startswith(_OURS):
                if name in attachments:
                    raise ModelError(f"it has two of {name}")
                attachments[name] = _from_text(name, value)
                continue
        graph.append(content[found.start : found.end])
    checksum = attachments.pop(_CHECKSUM, None)
    if checksum is not None and checksum != _checksum(attachments.get(CARD, b"")):
        raise ModelError(f"its {CARD} is damaged; get the file again")
    return Container("onnx", b"".join(graph), attachments)


def _entry(content: bytes, at: int, end: int) -> tuple[bytes, bytes]:
    """Key and value of a `StringStringEntryProto`."""
    parts = {1: b"", 2: b""}
    for count, found in enumerate(fields(content, at, end)):
        if count >= len(parts):
            raise ModelError("what is attached to it cannot be read: it is damaged")
        if found.wire == BYTES:
            parts[found.number] = content[found.inside : found.end]
    return parts[1], parts[2]


def _pack_onnx(parts: Container) -> bytes:
    """Repeated fields may come anywhere in a protocol buffer: ours come last."""
    out = [parts.graph]
    attachments = parts.attachments
    if CARD in attachments:  # the checksum comes first, so that a file cut behind it has lost what it is of
        attachments = {_CHECKSUM: _checksum(attachments[CARD]), **attachments}
    for name, value in attachments.items():
        text = value if name == CARD else base64.b64encode(value)
        entry = encoded(1, name.encode("utf-8")) + encoded(2, text)
        out.append(encoded(_METADATA_PROPS, entry))
    return b"".join(out)


def _checksum(card: bytes) -> bytes:
    return binascii.crc32(card).to_bytes(4, "big")


def _from_text(name: str, text: bytes) -> bytes:
    _bound(name, len(text) if name == CARD else len(text) * 3 // 4)
    if name == CARD:
        return text
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ModelError(f"its {name} is damaged: {error}") from error

"""Container: a model file as a graph and what travels with it, without the libraries that made it.

An ONNX file keeps attachments in `metadata_props`. A TFLite file keeps them in a zip behind the flatbuffer,
as TFLite's metadata keeps its associated files: interpreters read from the front, unzippers from the back.
"""

from __future__ import annotations

import base64
import binascii
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from img2imu_edge.errors import ModelError

CARD = "img2imu.card"
"""The model card, JSON."""

GOLDEN = "img2imu.golden"
"""The golden vectors, a NumPy archive; see `Golden`."""

SIGNATURE = "img2imu.signature"
"""An Ed25519 signature; see `signature`."""

ATTACHMENT_LIMIT = 4 << 20
"""Bytes of the largest attachment that is read."""

_OURS = "img2imu."
_ENDINGS = {CARD: ".json", GOLDEN: ".npz"}
_TFLITE_MARK = b"TFL3"
_METADATA_PROPS = 14
"""Field of ONNX's `ModelProto`; its `StringStringEntryProto` has key = 1 and value = 2."""

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


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
        ModelError: If it is of neither kind, is cut short, or an attachment is unreasonably large.
    """
    if content[4:8] == _TFLITE_MARK:
        return _unpack_tflite(content)
    if content[:1] == b"\x08":  # every ONNX file starts with the field ir_version
        return _unpack_onnx(content)
    raise ModelError("it is neither an ONNX nor a TFLite file")


def pack(parts: Container) -> bytes:
    """Put a model file together; the same bytes for the same parts, for no time of writing goes in.

    Raises:
        ModelError: If an attachment is larger than `unpack` would read.
    """
    for name, value in parts.attachments.items():
        _bound(name, len(value))
    return _pack_tflite(parts) if parts.kind == "tflite" else _pack_onnx(parts)


def _bound(name: str, size: int) -> None:
    if size > ATTACHMENT_LIMIT:
        raise ModelError(f"its {name} is larger than {ATTACHMENT_LIMIT >> 20} MiB")


def _unpack_tflite(content: bytes) -> Container:
    if not zipfile.is_zipfile(io.BytesIO(content)):
        return Container("tflite", content)
    names = {name + _ENDINGS.get(name, ""): name for name in (CARD, GOLDEN, SIGNATURE)}
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
            for entry in entries:
                _bound(entry.filename, entry.file_size)
            attachments = {names.get(e.filename, e.filename): archive.read(e) for e in entries}
            start = min((entry.header_offset for entry in entries), default=archive.start_dir)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError) as error:
        raise ModelError(f"what is attached to it is damaged: {error}") from error
    return Container("tflite", content[:start], attachments)


def _pack_tflite(parts: Container) -> bytes:
    file = io.BytesIO(parts.graph)
    if parts.attachments:
        with zipfile.ZipFile(file, "a") as archive:
            for name, value in parts.attachments.items():
                # A bare ZipInfo is dated 1980 and stored uncompressed: the same bytes whatever the zlib.
                archive.writestr(zipfile.ZipInfo(name + _ENDINGS.get(name, "")), value)
    return file.getvalue()


def _unpack_onnx(content: bytes) -> Container:
    graph, attachments = [], {}
    for number, start, inside, end in _fields(content):
        if number == _METADATA_PROPS:
            entry = {n: content[i:e] for n, _, i, e in _fields(content, inside, end)}
            name = entry.get(1, b"").decode("utf-8", "replace")
            if name.startswith(_OURS):
                attachments[name] = _from_text(name, entry.get(2, b""))
                continue
        graph.append(content[start:end])
    return Container("onnx", b"".join(graph), attachments)


def _pack_onnx(parts: Container) -> bytes:
    """Repeated fields may come anywhere in a protocol buffer: ours come last."""
    out = [parts.graph]
    for name, value in parts.attachments.items():
        text = value if name == CARD else base64.b64encode(value)
        key = name.encode("utf-8")
        entry = b"".join(_tag(n) + _varint(len(part)) + part for n, part in ((1, key), (2, text)))
        out.append(_tag(_METADATA_PROPS) + _varint(len(entry)) + entry)
    return b"".join(out)


def _from_text(name: str, text: bytes) -> bytes:
    _bound(name, len(text) * 3 // 4)
    if name == CARD:
        return text
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ModelError(f"its {name} is damaged: {error}") from error


def _fields(data: bytes, at: int = 0, end: int | None = None) -> Iterator[tuple[int, int, int, int]]:
    """Fields of a protocol buffer message: number, where its tag starts, where its value starts and ends.

    Raises:
        ModelError: If the message is cut short.
    """
    end = len(data) if end is None else end
    while at < end:
        start = at
        tag, at = _read_varint(data, at, end)
        kind = tag & 7
        if kind == _VARINT:
            inside, at = at, _read_varint(data, at, end)[1]
        elif kind == _BYTES:
            length, inside = _read_varint(data, at, end)
            at = inside + length
        elif kind in (_FIXED32, _FIXED64):
            inside, at = at, at + (4 if kind == _FIXED32 else 8)
        else:
            raise ModelError("it is no ONNX file, or damaged")
        if at > end:
            raise ModelError("it is cut short")
        yield tag >> 3, start, inside, at


def _read_varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while at < end and shift < 64:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise ModelError("it is cut short")


def _varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _tag(number: int) -> bytes:
    return _varint(number << 3 | _BYTES)

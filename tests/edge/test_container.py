"""Files from anyone: the same parts come back, and of anything else only ModelError comes out, soon."""

from __future__ import annotations

import io
import struct
import time
import tracemalloc
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from img2imu_edge.container import ATTACHMENT_LIMIT, CARD, GOLDEN, SIGNATURE, Container, pack, unpack
from img2imu_edge.errors import ModelError
from img2imu_edge.protobuf import field

SMALL = {
    "onnx": pack(Container("onnx", b"\x08\x0a" + field(7, b"graph"), {CARD: b"{}", GOLDEN: b"\0\1\2"})),
    "tflite": pack(Container("tflite", b"\x1c\0\0\0TFL3rest", {CARD: b"{}", GOLDEN: b"\0\1\2"})),
}
NAMES = st.sampled_from([CARD, GOLDEN, SIGNATURE, "img2imu.other"])


def test_genuine_files_come_apart_and_together(parts: Container, shipped: Path) -> None:
    assert pack(parts) == shipped.read_bytes()
    assert set(parts.attachments) == {CARD, GOLDEN}
    assert unpack(parts.graph) == replace(parts, attachments={})


@given(kind=st.sampled_from(["onnx", "tflite"]), attachments=st.dictionaries(NAMES, st.binary(max_size=200)))
def test_what_is_packed_is_unpacked(kind: str, attachments: dict[str, bytes]) -> None:
    graph = unpack(SMALL[kind]).graph
    parts = Container("onnx" if kind == "onnx" else "tflite", graph, attachments)
    assert unpack(pack(parts)) == parts
    assert pack(parts) == pack(parts)


def _only_model_errors(content: bytes) -> None:
    try:
        parts = unpack(content)
    except ModelError:
        return
    assert len(parts.graph) <= len(content)
    assert sum(map(len, parts.attachments.values())) <= 2 * ATTACHMENT_LIMIT


@given(start=st.sampled_from([b"", b"\x08", b"\x08\x0a", b"\x1c\0\0\0TFL3"]), rest=st.binary(max_size=300))
def test_random_bytes(start: bytes, rest: bytes) -> None:
    _only_model_errors(start + rest)
    _only_model_errors(start + rest + SMALL["tflite"][-90:])  # the end of a genuine archive


@given(
    kind=st.sampled_from(["onnx", "tflite"]),
    changes=st.lists(st.tuples(st.integers(0, 600), st.integers(0, 255)), min_size=1, max_size=5),
)
def test_changed_bytes(kind: str, changes: list[tuple[int, int]]) -> None:
    content = bytearray(SMALL[kind])
    for place, value in changes:
        content[place % len(content)] = value
    _only_model_errors(bytes(content))


@pytest.mark.parametrize("kind", ["onnx", "tflite"])
def test_every_truncation(kind: str) -> None:
    whole = unpack(SMALL[kind])
    for size in range(len(SMALL[kind])):
        try:
            parts = unpack(SMALL[kind][:size])
        except ModelError:
            continue
        assert parts.attachments != whole.attachments


@pytest.mark.parametrize(
    ("tail", "message"),
    [
        (b"\x3a" + b"\xff" * 11, "cut short"),  # a length of more than ten bytes
        (b"\x3a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "cut short"),  # 2**64 - 1 bytes that are not there
        (b"\x3b\x3c", "no ONNX file"),  # a group, which nothing writes any more
        (b"\xfa\xff\xff\xff\x7f\x00", "no ONNX file"),  # a number that lenient readers cut to 32 bits
        (b"\x02\x00", "no ONNX file"),  # number 0
        (b"\x10\x00" * 20_000, "no ONNX file"),  # more fields than any file has
        (field(14, field(1, CARD.encode()) * 2 + field(2, b"{}")), "damaged"),
        (field(14, field(1, GOLDEN.encode()) + field(2, b"no base64!")), "img2imu.golden is damaged"),
        (2 * field(14, field(1, CARD.encode()) + field(2, b"{}")), "two of img2imu.card"),
    ],
)
def test_odd_protocol_buffers_are_refused(tail: bytes, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        unpack(b"\x08\x0a" + tail)


def _archive(entries: list[tuple[str, bytes]], compression: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO(b"\x1c\0\0\0TFL3")
    with zipfile.ZipFile(file, "a", compression) as archive:
        for name, content in entries:
            archive.writestr(zipfile.ZipInfo(name), content, compression)
    return file.getvalue()


def test_a_zip_bomb_is_refused_before_it_takes_memory() -> None:
    bomb = _archive([("img2imu.golden.npz", bytes(64 << 20))], zipfile.ZIP_DEFLATED)
    assert len(bomb) < 100_000
    tracemalloc.start()
    with pytest.raises(ModelError, match="larger than 4 MiB"):
        unpack(bomb)
    assert tracemalloc.get_traced_memory()[1] < 4 << 20
    tracemalloc.stop()


def test_a_bomb_that_lies_about_its_size_gives_no_more_than_it_told() -> None:
    bomb = bytearray(_archive([("img2imu.golden.npz", bytes(8 << 20))], zipfile.ZIP_DEFLATED))
    for mark, at in ((b"PK\3\4", 22), (b"PK\1\2", 24)):
        struct.pack_into("<I", bomb, bomb.index(mark) + at, 1000)
    with pytest.raises(ModelError, match="cannot be read"):
        unpack(bytes(bomb))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_odd_archives_are_refused() -> None:
    card = ("img2imu.card.json", b"{}")
    with pytest.raises(ModelError, match="more entries"):
        unpack(_archive([(f"{i}", b"") for i in range(100)]))
    with pytest.raises(ModelError, match="an entry twice"):
        unpack(_archive([card, card]))
    encrypted = bytearray(_archive([card]))
    for mark, at in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        encrypted[encrypted.index(mark) + at] |= 1
    with pytest.raises(ModelError, match="encrypted"):
        unpack(bytes(encrypted))
    unknown = bytearray(_archive([card]))
    for mark, at in ((b"PK\3\4", 8), (b"PK\1\2", 10)):
        unknown[unknown.index(mark) + at] = 99
    with pytest.raises(ModelError, match="cannot be read"):
        unpack(bytes(unknown))
    changed = _archive([card]).replace(b"{}", b"[]", 1)
    with pytest.raises(ModelError, match="CRC"):
        unpack(changed)


def test_too_much_is_not_packed() -> None:
    for content in SMALL.values():
        with pytest.raises(ModelError, match="larger than 4 MiB"):
            pack(replace(unpack(content), attachments={CARD: bytes(ATTACHMENT_LIMIT + 1)}))


def test_a_large_file_costs_no_more_than_reading_it() -> None:
    """Many fields, or one of many bytes: time grows with neither's square."""
    content = b"\x08\x0a" + field(7, bytes(32 << 20))
    started = time.process_time()
    assert unpack(content).graph == content
    assert time.process_time() - started < 2

"""Golden vectors: what comes back is what was meant, and nothing else is taken for it."""

from __future__ import annotations

import io
import tracemalloc
import zipfile
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import img2imu_edge as i2e
from img2imu_edge.container import GOLDEN, unpack
from img2imu_edge.errors import ModelError
from img2imu_edge.golden import Golden, as_sent


@pytest.fixture(scope="session")
def content(model: i2e.Model) -> bytes:
    return unpack(model.path.read_bytes()).attachments[GOLDEN]


def _archive(content: bytes, **changes: Any) -> bytes:
    with np.load(io.BytesIO(content)) as file:
        parts = {name: file[name] for name in file.files} | changes
    out = io.BytesIO()
    np.savez_compressed(out, **{name: part for name, part in parts.items() if part is not None})
    return out.getvalue()


def test_golden_vectors_come_back_the_same(model: i2e.Model, content: bytes) -> None:
    golden = model.golden
    assert golden is not None
    again = Golden.from_bytes(golden.to_bytes())
    for name in ("samples", "pictures", "logits", "embeddings"):
        np.testing.assert_array_equal(getattr(again, name), getattr(golden, name))
    assert golden.to_bytes() == content


@given(arrays(np.float32, (2, 5, 3), elements=st.floats(-2000, 2000, width=32)))
def test_samples_are_sent_once_and_for_all(samples: np.ndarray[Any, Any]) -> None:
    sent = as_sent(samples)
    assert np.abs(sent - samples).max() <= max(np.abs(samples).max(), 1e-6) / 32767
    other = np.zeros((2, 1), np.float32)
    by_columns = np.asfortranarray(sent)
    back = Golden.from_bytes(Golden(by_columns, np.zeros((2, 3, 1, 1), np.float32), other, other).to_bytes())
    np.testing.assert_array_equal(back.samples, sent)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"logits": None}, "they hold"),
        ({"more": np.zeros(3)}, "they hold"),
        ({"logits": np.zeros((3, 7))}, "logits is float64"),
        ({"logits": np.zeros((3, 7), ">f4")}, "logits is >f4"),
        ({"logits": np.zeros((3, 7, 1), np.float32)}, r"of shape \(3, 7, 1\)"),
        ({"logits": np.zeros((2, 7), np.float32)}, "different numbers of windows"),
        ({"logits": np.full((3, 7), np.nan, np.float32)}, "logits holds NaN or infinity"),
        ({"embeddings": np.full((3, 64), np.inf, np.float32)}, "embeddings holds NaN"),
        ({"scale": np.ones(5, np.float32)}, "scale does not fit"),
        ({"scale": np.full(6, 1e38, np.float32)}, "not one of sensors"),
        ({"scale": np.zeros(6, np.float32)}, "not one of sensors"),
        ({"samples": np.zeros((0, 250, 6), np.int16)}, "samples is int16"),
        ({"samples": np.array([[[{"run": "me"}]]], object)}, "samples is object"),
        ({"samples": np.asfortranarray(np.ones((3, 250, 6), np.int16))}, "samples is int16"),
    ],
)
def test_what_is_not_golden_is_refused(content: bytes, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError, match=f"golden vectors are damaged: .*{message}"):
        Golden.from_bytes(_archive(content, **changes))


def test_zero_windows_are_refused(content: bytes) -> None:
    empty = {
        "samples": np.zeros((0, 250, 6), np.int16),
        "pictures": np.zeros((0, 3, 64, 35), np.uint16),
        "logits": np.zeros((0, 7), np.float32),
        "embeddings": np.zeros((0, 64), np.float32),
    }
    with pytest.raises(ModelError, match="golden vectors are damaged"):
        Golden.from_bytes(_archive(content, **empty))


def test_a_shape_without_its_bytes_takes_no_memory(content: bytes) -> None:
    header = io.BytesIO()
    told = {"descr": "<f4", "fortran_order": False, "shape": (100_000, 100_000)}
    np.lib.format.write_array_header_1_0(header, told)
    lie = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(lie, "w") as target:
        for name in source.namelist():
            target.writestr(name, header.getvalue() if name == "logits.npy" else source.read(name))
    tracemalloc.start()
    with pytest.raises(ModelError, match=r"0 bytes for the shape \(100000, 100000\)"):
        Golden.from_bytes(lie.getvalue())
    assert tracemalloc.get_traced_memory()[1] < 4 << 20
    tracemalloc.stop()


def test_a_bomb_is_refused_before_it_takes_memory(content: bytes) -> None:
    bomb = _archive(content, pictures=np.zeros((3, 3, 2000, 2000), np.uint16))
    tracemalloc.start()
    with pytest.raises(ModelError, match="larger than 32 MiB"):
        Golden.from_bytes(bomb)
    assert tracemalloc.get_traced_memory()[1] < 4 << 20
    tracemalloc.stop()


@given(
    changes=st.lists(st.tuples(st.integers(0, 50_000), st.integers(0, 255)), max_size=4),
    keep=st.integers(0, 50_000),
)
def test_changed_and_truncated_archives(content: bytes, changes: list[tuple[int, int]], keep: int) -> None:
    damaged = bytearray(content[: max(keep, 1)])
    for place, value in changes:
        damaged[place % len(damaged)] = value
    try:
        assert len(Golden.from_bytes(bytes(damaged))) == 3
    except ModelError:
        return


@given(header=st.text(st.sampled_from("(){}[],:'\"1e9-*+abc\\ "), max_size=200))
def test_headers_are_never_run(header: str) -> None:
    """NumPy's header is a Python literal: whatever else is there is damage."""
    text = header.encode("latin-1")
    entry = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text
    lie = io.BytesIO()
    with zipfile.ZipFile(lie, "w") as target:
        for name in ("samples", "scale", "pictures", "logits", "embeddings"):
            target.writestr(f"{name}.npy", entry)
    with pytest.raises(ModelError, match="damaged"):
        Golden.from_bytes(lie.getvalue())

"""Golden: real windows and what was computed from them, by which a file proves itself on any device."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from img2imu_edge.archive import read_archive
from img2imu_edge.errors import ModelError

Array = NDArray[np.float32]

_STEPS = 65535
"""Pictures are kept in 16 bits: 8e-6 of their range, far below what a wrong front-end would change."""

_LIMIT = 32 << 20
_LARGEST_SCALE = 1e6
_KINDS = {
    "samples": (np.int16, 3), "scale": (np.float32, 1), "pictures": (np.uint16, 4),
    "logits": (np.float32, 2), "embeddings": (np.float32, 2),
}  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Golden:
    """Real windows of people outside the training, stage by stage.

    Attributes:
        samples: (windows, samples, axes) in SI units at the model's rate, axes in the card's order.
        pictures: (windows, 3, rows, columns) from 0 to 1, as the training front-end drew them.
        logits: (windows, classes) of the trained network, in float32.
        embeddings: (windows, embedding) of the trained network, in float32.
    """

    samples: Array
    pictures: Array
    logits: Array
    embeddings: Array

    def __len__(self) -> int:
        return len(self.samples)

    def to_bytes(self) -> bytes:
        """As a NumPy archive without pickles.

        Samples become 16-bit integers, as most sensors send them: take them through `as_sent` before anything
        is computed from them.
        """
        scale = _scale(self.samples)
        file = io.BytesIO()
        np.savez_compressed(
            file,
            samples=np.ascontiguousarray(np.rint(self.samples / scale).astype(np.int16)),
            scale=scale,
            pictures=np.ascontiguousarray(np.rint(self.pictures * np.float32(_STEPS)).astype(np.uint16)),
            logits=np.ascontiguousarray(self.logits),
            embeddings=np.ascontiguousarray(self.embeddings),
        )
        return file.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> Golden:
        """Read them. Nothing in them is executed, and their size is known before memory is taken.

        Raises:
            ModelError: If they are damaged, empty, larger than any of ours, or hold NaN or infinity.
        """
        try:
            entries, _ = read_archive(content, _LIMIT)
            parts = _arrays(entries)
        except ModelError as error:
            raise ModelError(f"its golden vectors are damaged: {error}; export it again") from error
        return cls(
            parts["samples"] * parts["scale"],
            parts["pictures"].astype(np.float32) / np.float32(_STEPS),
            parts["logits"],
            parts["embeddings"],
        )


def _arrays(entries: dict[str, bytes]) -> dict[str, NDArray[Any]]:
    if set(entries) != {f"{name}.npy" for name in _KINDS}:
        raise ModelError(f"they hold {', '.join(sorted(entries)) or 'nothing'}")
    parts = {name: _array(name, entries[f"{name}.npy"]) for name in _KINDS}
    if len({len(parts[name]) for name in _KINDS if name != "scale"}) > 1:
        raise ModelError("their parts are of different numbers of windows")
    if len(parts["scale"]) != parts["samples"].shape[2]:
        raise ModelError("their scale does not fit their samples")
    if not ((parts["scale"] > 0) & (parts["scale"] < _LARGEST_SCALE)).all():
        raise ModelError("their scale is not one of sensors")
    return parts


def _array(name: str, content: bytes) -> NDArray[Any]:
    """One array, of the shape that its header tells if just these bytes are there."""
    kind, dimensions = _KINDS[name]
    file, form = io.BytesIO(content), cast(Any, np.lib.format)
    try:
        version = form.read_magic(file)
        shape, by_columns, dtype = form.read_array_header_1_0(file)
    except Exception as error:  # the header is parsed as Python's literals, which fail in many ways
        raise ModelError(f"{name}: {error}") from error
    if (version, dtype, len(shape), by_columns) != ((1, 0), kind, dimensions, False) or min(shape) < 1:
        raise ModelError(f"{name} is {dtype} of shape {shape}")
    there = len(content) - file.tell()
    if math.prod(shape) * dtype.itemsize != there:
        raise ModelError(f"{name} has {there} bytes for the shape {shape}")
    found = np.frombuffer(content, dtype, offset=file.tell()).reshape(shape)
    if not np.isfinite(found).all():
        raise ModelError(f"{name} holds NaN or infinity")
    return found


def as_sent(samples: Array) -> Array:
    """Samples (windows, samples, axes) as they come back from `Golden.to_bytes`."""
    scale = _scale(samples)
    sent: Array = np.rint(samples / scale).astype(np.int16) * scale
    return sent


def _scale(samples: Array) -> Array:
    """What one step of each axis stands for: the power of two that the largest sample just fits.

    A power of two, so that scaling is exact and what was sent once is sent the same again.
    """
    largest = np.abs(samples).max(axis=(0, 1)).astype(np.float64)
    exponent = np.ceil(np.log2(np.maximum(largest, 1e-6) / 32767))
    scale: Array = np.exp2(exponent).astype(np.float32)
    return scale

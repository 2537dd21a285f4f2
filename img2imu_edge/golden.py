"""Golden: real windows and what was computed from them, by which a file proves itself on any device."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from img2imu_edge.errors import ModelError

Array = NDArray[np.float32]

_STEPS = 65535
"""Pictures are kept in 16 bits: 8e-6 of their range, far below what a wrong front-end would change."""

_LIMIT = 32 << 20
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
            samples=np.rint(self.samples / scale).astype(np.int16),
            scale=scale,
            pictures=np.rint(self.pictures * np.float32(_STEPS)).astype(np.uint16),
            logits=self.logits,
            embeddings=self.embeddings,
        )
        return file.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> Golden:
        """Read them. Nothing in them is executed, and their size is bounded.

        Raises:
            ModelError: If they are damaged.
        """
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                if sum(entry.file_size for entry in archive.infolist()) > _LIMIT:
                    raise ModelError(f"its golden vectors are larger than {_LIMIT >> 20} MiB")
            with np.load(io.BytesIO(content), allow_pickle=False) as file:
                parts = {name: file[name] for name in _KINDS}
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise ModelError(f"its golden vectors are damaged: {error}") from error
        for name, (kind, dimensions) in _KINDS.items():
            if parts[name].dtype != kind or parts[name].ndim != dimensions:
                raise ModelError(f"its golden vectors are damaged: {name} is not what it should be")
        windows = {len(parts[name]) for name in _KINDS if name != "scale"}
        if len(windows) > 1 or len(parts["scale"]) != parts["samples"].shape[2]:
            raise ModelError("its golden vectors are damaged: their parts do not fit each other")
        return cls(
            parts["samples"] * parts["scale"],
            parts["pictures"].astype(np.float32) / np.float32(_STEPS),
            parts["logits"],
            parts["embeddings"],
        )


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

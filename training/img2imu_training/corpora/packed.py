"""Packed photographs as a corpus."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from img2imu_edge.errors import RecordingError
from img2imu_training.corpora import generator


class PackedImages:
    """Packed photographs as a corpus: every epoch shows each of them once, in an order of its own.

    Args:
        path: What `pack` gave.
        batch: Images in a batch.
        seed: Of the orders.
        rank: Number of this worker among those that train together; they share each epoch.
        world: How many train together.

    Raises:
        RecordingError: If the file cannot be read, or has fewer images than one batch for everyone.
    """

    def __init__(self, path: Path, batch: int = 256, seed: int = 0, rank: int = 0, world: int = 1) -> None:
        self.path, self.size, self.seed, self.rank, self.world = path, batch, seed, rank, world
        self._images = _open(path)
        self._order: tuple[int, NDArray[np.int64]] | None = None
        self.steps_per_epoch = len(self) // (batch * world)
        if not self.steps_per_epoch:
            raise RecordingError(
                f"{path} has {len(self)} images, fewer than a batch of {batch} for each of {world}; "
                "make the batch smaller or pack more images"
            )

    def __len__(self) -> int:
        return len(self._images)

    def __getstate__(self) -> dict[str, Any]:
        """Without the images: another process maps the file by itself."""
        return {name: value for name, value in vars(self).items() if name not in ("_images", "_order")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._images, self._order = _open(self.path), None

    def batch(self, step: int) -> Tensor:
        """Images (n, 1, 3, size, size) uint8 of a step."""
        epoch, place = divmod(step, self.steps_per_epoch)
        if self._order is None or self._order[0] != epoch:
            self._order = epoch, generator(self.seed, 0, epoch).permutation(len(self))
        first = (place * self.world + self.rank) * self.size
        chosen = np.sort(self._order[1][first : first + self.size])  # in the disk's order
        return torch.from_numpy(self._images[chosen])[:, None]


def _open(path: Path) -> NDArray[np.uint8]:
    try:
        about = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        images: NDArray[np.uint8] = np.load(path, mmap_mode="r", allow_pickle=False)
        whole = images.dtype == np.uint8 and images.shape == (about["count"], 3, about["size"], about["size"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RecordingError(
            f"{path} is not a file of packed images ({error}); delete it and pack again"
        ) from error
    if not whole:
        raise RecordingError(f"{path} does not hold what its side-car says; delete both and pack again")
    return images

"""Pictures to pre-train on, as whole batches: photographs, formula-made images, formula-made motion.

`formula_motion` makes movements seen by a simulated sensor, `formula_images` makes images by formula,
`packed` serves photographs that `photographs` decoded once, and `mixture` draws from several of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.random import Generator

if TYPE_CHECKING:  # the processes that decode photographs must not wait for torch
    from torch import Tensor


class Batches(Protocol):
    """Pictures to pre-train on. Step `k` always gives the same batch, so that a run can resume anywhere."""

    def batch(self, step: int) -> Tensor:
        """One batch.

        Args:
            step: Which, from 0; there is no last one.

        Returns:
            (n, views, 3, height, width) uint8. `views` is 1 for pictures that the augmentation will vary
            twice, and 2 where the corpus itself makes a positive pair.
        """
        ...


def generator(seed: int, rank: int, step: int) -> Generator:
    """The only source of randomness of one step of one worker, whatever came before it."""
    return np.random.default_rng((seed, rank, step))

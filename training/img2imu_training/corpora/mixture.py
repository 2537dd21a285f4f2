"""Several corpora as one: every batch comes whole from one of them, drawn by weight."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from img2imu_training.corpora import Batches, generator

_BLOCK = 4096
"""Steps whose draws are made together."""


class Mixture:
    """A mixture of corpora.

    The same corpus is drawn on every rank, so that workers that train together see batches of one shape. Each
    corpus counts its own steps, so that an epoch of photographs still shows each of them once.

    Args:
        corpora: What to draw from.
        weights: How often each is drawn, as shares of any sum.
        seed: Of the draws.

    Raises:
        ValueError: If there is not one weight for each corpus, or they are negative or all 0.
    """

    def __init__(self, corpora: Sequence[Batches], weights: Sequence[float], seed: int = 0) -> None:
        shares = np.array(weights, np.float64)
        if len(shares) != len(corpora) or not len(shares):
            raise ValueError(f"{len(corpora)} corpora need as many weights, not {len(shares)}")
        if shares.min() < 0 or not shares.sum() > 0:
            raise ValueError("the weights of a mixture must not be negative, nor all 0")
        self._corpora, self._shares, self._seed = tuple(corpora), shares / shares.sum(), seed
        self._before = [np.zeros(len(shares), np.int64)]

    def turn(self, step: int) -> tuple[int, int]:
        """Which corpus a step draws from, and that corpus' own step."""
        block, place = divmod(step, _BLOCK)
        while len(self._before) <= block:
            drawn = np.bincount(self._draws(len(self._before) - 1), minlength=len(self._shares))
            self._before.append(self._before[-1] + drawn)
        draws = self._draws(block)
        chosen = int(draws[place])
        return chosen, int(self._before[block][chosen] + np.count_nonzero(draws[:place] == chosen))

    def batch(self, step: int) -> Tensor:
        """The batch of a step; see `Batches`."""
        chosen, own_step = self.turn(step)
        return self._corpora[chosen].batch(own_step)

    def _draws(self, block: int) -> NDArray[np.int64]:
        return generator(self._seed, 0, block).choice(len(self._shares), _BLOCK, p=self._shares)

"""Features of windows, computed once: a benchmark shows the same test windows to a method again and again."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from img2imu_training.windows import Samples


class Remembered:
    """The latest results of a frozen extractor, found again by the bytes of the windows.

    Args:
        keep: How many results to keep.
    """

    def __init__(self, keep: int = 8) -> None:
        self.keep = keep
        self._results: OrderedDict[tuple[str, float], NDArray[np.float32]] = OrderedDict()

    def get(
        self, samples: Samples, rate: float, extract: Callable[[Samples], NDArray[np.float32]]
    ) -> NDArray[np.float32]:
        """What `extract` makes of the samples (n, samples, axes) at a rate in Hz, now or earlier.

        The extractor must be the same for all calls at one rate, and must not be random.
        """
        bytes_of = hashlib.sha256(np.ascontiguousarray(samples).tobytes())
        bytes_of.update(str(samples.shape).encode())
        key = (bytes_of.hexdigest(), rate)
        if key not in self._results:
            self._results[key] = extract(samples)
        self._results.move_to_end(key)
        while len(self._results) > self.keep:
            self._results.popitem(last=False)
        return self._results[key]

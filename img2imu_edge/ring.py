"""RingBuffer: append at the end, look at any recent stretch without copying it."""

from __future__ import annotations

from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

Scalar = TypeVar("Scalar", bound=np.generic)


class RingBuffer(Generic[Scalar]):
    """The most recent items of an endless sequence, always in one piece of memory.

    Items are written one after the other into a store of twice the capacity. When it is full, the most recent
    half moves to the front: one copy per item on average, and every view is an ordinary contiguous slice.

    Args:
        capacity: How many of the latest items can be viewed.
        item_shape: Shape of one item.
        dtype: Type of its numbers.
    """

    def __init__(self, capacity: int, item_shape: tuple[int, ...], dtype: type[Scalar]) -> None:
        self.capacity = capacity
        self.total = 0
        """Items appended since the start (or the last `clear`)."""
        self._store: NDArray[Scalar] = np.zeros((2 * capacity, *item_shape), dtype=dtype)
        self._end = 0

    def append(self, items: NDArray[Scalar]) -> None:
        """Add items at the end.

        Args:
            items: (n, *item_shape), with n at most the capacity.

        Raises:
            ValueError: If there are more items than the capacity.
        """
        n = len(items)
        if n > self.capacity:
            raise ValueError(f"{n} items do not fit a ring of {self.capacity}")
        if self._end + n > len(self._store):
            kept = self.capacity - n
            self._store[:kept] = self._store[self._end - kept : self._end]
            self._end = kept
        self._store[self._end : self._end + n] = items
        self._end += n
        self.total += n

    def view(self, start: int, stop: int) -> NDArray[Scalar]:
        """Items `start` to `stop`, counted from the beginning of the sequence, without a copy.

        The view is valid until the next `append`.

        Raises:
            IndexError: If the items have not come yet or are no longer there.
        """
        oldest = max(self.total - min(self.capacity, self._end), 0)
        if not oldest <= start <= stop <= self.total:
            raise IndexError(
                f"items {start} to {stop} are not in the ring, which has {oldest} to {self.total}"
            )
        offset = self._end - self.total
        return self._store[start + offset : stop + offset]

    def clear(self) -> None:
        """Forget everything; the sequence starts again at 0."""
        self.total = self._end = 0

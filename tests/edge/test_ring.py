import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from img2imu_edge.ring import RingBuffer


@given(capacity=st.integers(1, 12), sizes=st.lists(st.integers(0, 12), max_size=40))
def test_every_recent_stretch_can_be_viewed(capacity: int, sizes: list[int]) -> None:
    ring = RingBuffer(capacity, (2,), np.int64)
    written = np.empty((0, 2), np.int64)
    for size in sizes:
        size = min(size, capacity)
        items = np.arange(2 * len(written), 2 * (len(written) + size)).reshape(-1, 2)
        ring.append(items)
        written = np.concatenate([written, items])
        oldest = max(0, len(written) - capacity)
        assert ring.total == len(written)
        for start in range(oldest, len(written) + 1):
            view = ring.view(start, len(written))
            np.testing.assert_array_equal(view, written[start:])
            assert view.base is not None
            assert view.flags.c_contiguous


def test_what_is_gone_or_not_yet_there_is_an_error() -> None:
    ring = RingBuffer(4, (), np.float32)
    for value in range(10):
        ring.append(np.array([value], np.float32))
    with pytest.raises(IndexError, match="6 to 10"):
        ring.view(5, 10)
    with pytest.raises(IndexError):
        ring.view(8, 11)
    with pytest.raises(ValueError, match="do not fit"):
        ring.append(np.zeros(5, np.float32))
    ring.clear()
    with pytest.raises(IndexError):
        ring.view(0, 1)

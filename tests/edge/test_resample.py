import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from img2imu_edge.resample import Resampler, Segment


def run(resampler: Resampler, times: np.ndarray, values: np.ndarray, sizes: list[int]) -> list[Segment]:
    segments, position = [], 0
    for size in sizes:
        segments += resampler.push(times[position : position + size], values[position : position + size])
        position += size
    return segments + resampler.flush()


def joined(segments: list[Segment]) -> list[tuple[float, np.ndarray, np.ndarray]]:
    """One (start, values, real) for every stretch between restarts."""
    stretches: list[list[Segment]] = []
    for segment in segments:
        if segment.restart:
            stretches.append([])
        stretches[-1].append(segment)
    return [
        (s[0].start, np.concatenate([p.values for p in s]), np.concatenate([p.real for p in s]))
        for s in stretches
    ]


def wave(times: np.ndarray) -> np.ndarray:
    return np.stack([np.sin(2 * np.pi * 1.3 * times), 9.81 + 0 * times, np.cos(4 * times)], 1).astype(
        np.float32
    )


def test_samples_on_the_grid_pass_unchanged_and_at_once() -> None:
    times = np.arange(500) * 0.02
    resampler = Resampler(50.0, 50.0, 3, 5.0)
    for i in range(len(times)):
        (segment,) = resampler.push(times[i : i + 1], wave(times[i : i + 1]))
        np.testing.assert_array_equal(segment.values, wave(times[i : i + 1]))
        assert segment.real.all()


@pytest.mark.parametrize("rate", [25.0, 30.0, 49.7, 52.0, 100.0, 208.0])
def test_other_rates_arrive_on_the_grid_with_the_signal_intact(rate: float) -> None:
    times = 3.0 + np.arange(round(20 * rate)) / rate
    ((start, values, real),) = joined(run(Resampler(rate, 50.0, 3, 5.0), times, wave(times), [len(times)]))
    grid = start + np.arange(len(values)) / 50.0
    assert abs(grid[-1] - times[-1]) < 0.04
    inner = slice(20, -20)
    np.testing.assert_allclose(values[inner], wave(grid)[inner], atol=0.03)
    np.testing.assert_allclose(values[inner, 1], 9.81, rtol=1e-5)
    assert real.all()


def test_downsampling_removes_what_the_grid_cannot_carry() -> None:
    times = np.arange(4000) / 200.0
    alias = np.sin(2 * np.pi * 60.0 * times)[:, None].astype(np.float32)
    ((_, values, _),) = joined(run(Resampler(200.0, 50.0, 1, 5.0), times, alias, [4000]))
    assert np.abs(values[10:-10]).max() < 0.05


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_the_outcome_does_not_depend_on_the_chunks(data: st.DataObject) -> None:
    """Jitter, losses, long gaps, late samples, NaN and clock resets included."""
    rng = np.random.default_rng(data.draw(st.integers(0, 10_000)))
    rate = data.draw(st.sampled_from([25.0, 50.0, 51.3, 100.0]))
    n = data.draw(st.integers(1, 150))
    times = np.arange(n) / rate
    if data.draw(st.booleans()):
        times = times + rng.normal(scale=0.2 / rate, size=n)
    for _ in range(data.draw(st.integers(0, 3))):
        at, jump = int(rng.integers(n)), float(rng.choice([0.1, 0.5, 7.0, -0.05, -9.0]))
        times[at:] += jump
    keep = rng.random(n) > data.draw(st.sampled_from([0.0, 0.1, 0.5]))
    keep[0] = True
    times, values = times[keep], rng.normal(size=(keep.sum(), 2)).astype(np.float32)
    values[rng.random(len(values)) < data.draw(st.sampled_from([0.0, 0.1]))] = np.nan
    sizes = data.draw(st.lists(st.integers(1, 9), min_size=len(times), max_size=len(times)))
    once, often = Resampler(rate, 50.0, 2, 1.0), Resampler(rate, 50.0, 2, 1.0)
    expected = joined(run(once, times, values, [len(times)]))
    actual = joined(run(often, times, values, sizes))
    assert [start for start, *_ in actual] == [start for start, *_ in expected]
    for (_, values_a, real_a), (_, values_e, real_e) in zip(actual, expected, strict=True):
        np.testing.assert_array_equal(values_a, values_e)
        np.testing.assert_array_equal(real_a, real_e)
    assert (once.late, once.invalid) == (often.late, often.invalid)


@settings(deadline=None)
@given(lost=st.sets(st.integers(1, 98)))
def test_exactly_the_lost_samples_are_flagged(lost: set[int]) -> None:
    there = np.array([i for i in range(100) if i not in lost])
    times = there * 0.02
    ((_, values, real),) = joined(run(Resampler(50.0, 50.0, 3, 5.0), times, wave(times), [len(times)]))
    assert len(values) == 100
    assert set(np.flatnonzero(~real)) == lost
    np.testing.assert_array_equal(values[there], wave(times))
    assert np.abs(values[:, 1] - 9.81).max() < 1e-5


def test_a_long_gap_and_a_clock_that_was_reset_start_the_grid_anew() -> None:
    times = np.concatenate([np.arange(50) * 0.02, 60 + np.arange(50) * 0.02, np.arange(50) * 0.02])
    stretches = joined(run(Resampler(50.0, 50.0, 3, 5.0), times, wave(times), [7] * 22))
    assert [start for start, *_ in stretches] == [0.0, 60.0, 0.0]
    assert [len(values) for _, values, _ in stretches] == [50, 50, 50]


def test_late_and_invalid_samples_are_dropped_and_counted() -> None:
    times = np.array([0.0, 0.02, 0.01, 0.02, 0.04, np.nan, 0.06])
    values = wave(times)
    values[-1] = np.inf
    resampler = Resampler(50.0, 50.0, 3, 5.0)
    ((_, out, _),) = joined(run(resampler, times, values, [7]))
    assert (resampler.late, resampler.invalid) == (2, 2)
    np.testing.assert_array_equal(out, wave(np.array([0.0, 0.02, 0.04])))

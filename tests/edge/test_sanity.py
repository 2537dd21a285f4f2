"""What is wrong with a stream's numbers is said once, and what is right is not complained about."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from img2imu_edge.recording import demo_recording, read_recording
from img2imu_edge.samples import ACCELEROMETER, GYROSCOPE, STANDARD_GRAVITY, SampleBlock
from img2imu_edge.sanity import SanityCheck, check_samples

CHANNELS = (*ACCELEROMETER, *GYROSCOPE)
RATE = 50.0
Values = np.ndarray


def turning() -> Values:
    return made().copy()


@cache
def made() -> Values:
    """A wrist that is turned this way and that and shaken now and then: accelerometer and gyroscope agree."""
    rng = np.random.default_rng(0)
    count = int(60 * RATE)
    times = np.arange(count) / RATE
    axes = rng.normal(size=(6, 3))
    rates = sum(
        axis * np.sin(times[:, None] * speed + phase)
        for axis, speed, phase in zip(axes, rng.uniform(0.2, 2, 6), rng.uniform(0, 6, 6), strict=True)
    ) * np.where(times[:, None] % 20 < 8, 0.0, 0.5)
    down = np.array([0.3, 0.5, 0.8]) / np.linalg.norm([0.3, 0.5, 0.8])
    directions = np.empty((count, 3))
    for k in range(count):
        directions[k] = down
        down = down - np.cross(rates[k], down) / RATE
        down /= np.linalg.norm(down)
    shaken = 2 * np.sin(times * 9)[:, None] * (times[:, None] % 20 > 14)
    acc = directions * STANDARD_GRAVITY + shaken + rng.normal(scale=0.03, size=(count, 3))
    gyr = rates + rng.normal(scale=0.005, size=(count, 3))
    return np.concatenate([acc, gyr], axis=1).astype(np.float32)


def found(values: Values, rate: float = RATE, nominal: float = RATE) -> dict[str, str]:
    findings = check_samples(np.arange(len(values)) / rate, values, CHANNELS[: values.shape[1]], nominal)
    return {finding.check: finding.text for finding in findings}


def changed(columns: slice, change: Callable[[Values], Values]) -> Values:
    values = turning()
    values[:, columns] = change(values[:, columns])
    return values


ACC, GYR = slice(0, 3), slice(3, 6)


def test_a_good_stream_has_nothing_wrong() -> None:
    assert found(turning()) == {}
    assert found(turning()[:, :3]) == {}


def test_the_shipped_recording_has_nothing_wrong() -> None:
    demo = read_recording(demo_recording())
    assert check_samples(demo.times, demo.values, demo.channels, demo.rate) == []


@pytest.mark.parametrize(
    ("factor", "said"),
    [
        (1 / STANDARD_GRAVITY, "it looks like g; multiply by 9.80665"),
        (1000 / STANDARD_GRAVITY, "it looks like milli-g; multiply by 0.00980665"),
        (16384 / STANDARD_GRAVITY, "it looks like counts"),
        (1000.0, "it looks like mm/s²"),
        (0.5, "the range is probably twice what the decoder takes it for"),
        (2.0, "the range is probably half"),
        (0.7, "multiply by 1.4"),
    ],
)
def test_units_of_the_accelerometer(factor: float, said: str) -> None:
    problems = found(changed(ACC, lambda acc: acc * factor))
    assert set(problems) == {"units"}
    assert said in problems["units"]


def test_units_show_in_motion_too() -> None:
    demo = read_recording(demo_recording())
    values = demo.values.copy()
    values[:, [demo.channels.index(name) for name in ACCELEROMETER]] /= STANDARD_GRAVITY
    (problem,) = check_samples(demo.times, values, demo.channels, demo.rate)
    assert (problem.check, "looks like g" in problem.text) == ("units", True)


def test_gravity_that_was_taken_out() -> None:
    values = turning()
    motion = values[:, :3] - STANDARD_GRAVITY * values[:, :3] / np.linalg.norm(
        values[:, :3], axis=1, keepdims=True
    )
    problems = found(np.concatenate([motion, values[:, 3:]], axis=1))
    assert set(problems) == {"gravity"}
    assert "linear acceleration" in problems["gravity"]


@pytest.mark.parametrize("factor", [180 / np.pi, 16.4 * 180 / np.pi])
def test_units_of_the_gyroscope(factor: float) -> None:
    problems = found(changed(GYR, lambda gyr: gyr * factor))
    assert set(problems) == {"gyroscope"}
    assert "deg/s" in problems["gyroscope"]
    assert "multiply by 0.0174533" in problems["gyroscope"]


def test_a_gyroscope_that_turns_far_less_than_gravity_does() -> None:
    problems = found(np.concatenate([changed(GYR, lambda gyr: gyr / 57.3)] * 2))
    assert set(problems) == {"gyroscope"}
    assert "its scale is wrong" in problems["gyroscope"]


def test_a_gyroscope_that_turns_at_rest() -> None:
    values = changed(GYR, lambda gyr: gyr + np.float32(0.8))
    assert "at rest" in found(values)["gyroscope"]


def test_stuck_sensors_and_axes() -> None:
    assert "gyroscope says zero" in found(changed(GYR, np.zeros_like))["stuck"]
    assert "accelerometer says zero" in found(changed(ACC, np.zeros_like))["stuck"]
    frozen = found(changed(ACC, lambda acc: np.broadcast_to(acc[:1], acc.shape)))
    assert "accelerometer says the same" in frozen["stuck"]
    dead = found(changed(slice(1, 2), np.zeros_like))
    assert "acc_y never changes while the other axes do" in dead["stuck"]


def test_a_coarse_sensor_at_rest_is_not_stuck() -> None:
    rng = np.random.default_rng(0)
    values = np.zeros((3000, 3), np.float32)
    values[:, 2] = STANDARD_GRAVITY + 0.16 * rng.integers(0, 2, 3000)
    assert found(values) == {}


def test_clipping() -> None:
    values = turning()
    values[:, 0] += 15 * np.sin(np.arange(len(values)) / 4)
    assert "clipping" not in found(values)
    values[:, 0] = np.clip(values[:, 0], -2 * STANDARD_GRAVITY, 2 * STANDARD_GRAVITY)
    problem = found(values)["clipping"]
    assert "acc_x stands at its limit of 19.61 m/s²" in problem


@pytest.mark.parametrize(("rate", "wrong"), [(49.5, False), (48.0, True), (50.5, False), (104.0, True)])
def test_a_rate_that_is_far_from_nominal(rate: float, wrong: bool) -> None:
    problems = found(turning(), rate=rate)
    assert ("rate" in problems) == wrong
    if wrong:
        assert f"{rate:.4g} Hz, not at 50 Hz" in problems["rate"]


def test_gaps_do_not_change_the_rate() -> None:
    values, times = turning(), np.arange(3000) / RATE
    kept = np.random.default_rng(0).random(3000) > 0.1
    assert check_samples(times[kept], values[kept], CHANNELS, RATE) == []


def test_samples_without_a_value_are_passed_over() -> None:
    values = turning()
    values[::7, 1] = np.nan
    values[::50, 4] = np.nan
    assert found(values) == {}


def test_an_accelerometer_is_looked_at_when_the_gyroscope_has_died() -> None:
    values = changed(ACC, lambda acc: acc / STANDARD_GRAVITY)
    values[:, 3:] = np.nan
    assert set(found(values)) == {"units"}


def test_a_stream_without_a_whole_sensor_is_not_looked_at() -> None:
    values = np.zeros((3000, 2), np.float32)
    assert check_samples(np.arange(3000) / RATE, values, ("acc_x", "gyr_x"), RATE) == []


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(1, 400), min_size=1, max_size=20))
def test_the_same_however_the_samples_are_cut(cuts: list[int]) -> None:
    values = changed(ACC, lambda acc: acc / 9.8)
    values[:, 4] = 0
    times = np.arange(len(values)) / RATE
    check = SanityCheck(CHANNELS, RATE)
    new = []
    position, turn = 0, 0
    while position < len(values):
        part = slice(position, position + cuts[turn % len(cuts)])
        new += check.push(SampleBlock(times[part], values[part], CHANNELS))
        position, turn = part.stop, turn + 1
    assert new == check.findings == check_samples(times, values, CHANNELS, RATE)
    assert [finding.check for finding in new] == ["units", "stuck"]


@pytest.mark.parametrize("odd", [0.0, np.nan, np.inf, -1.0])
def test_times_that_do_not_go_on_are_no_reason_to_stop(odd: float) -> None:
    count = 1000
    values, right = turning()[:count], np.arange(count) / RATE
    assert check_samples(np.full(count, odd), values, CHANNELS, RATE) == []
    mixed = right.copy()
    mixed[7::10] = odd
    assert check_samples(mixed, values, CHANNELS, RATE) == check_samples(right, values, CHANNELS, RATE) == []


def test_memory_that_is_used_again_changes_nothing() -> None:
    values = changed(ACC, lambda acc: acc / 9.8)
    check, times, buffer = SanityCheck(CHANNELS, RATE), np.empty(7), np.empty((7, 6), np.float32)
    for start in range(0, len(values) - 7, 7):
        times[:], buffer[:] = np.arange(start, start + 7) / RATE, values[start : start + 7]
        check.push(SampleBlock(times, buffer, CHANNELS))
    assert [finding.check for finding in check.findings] == ["units"]

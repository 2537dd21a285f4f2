"""The host's time of what a device did, from arrivals that are all late."""

from __future__ import annotations

import math
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from img2imu_bridge.clock_benchmark import CONDITIONS, clock_mapping, mapping_errors, simulate
from img2imu_bridge.clocks import SKEW, ArrivalLine, PassiveMinimum, passive_minimum

steps = st.lists(st.tuples(st.floats(0, 5), st.floats(0, 3)), min_size=1, max_size=60)


@given(steps)
def test_one_by_one_as_all_at_once(pairs: list[tuple[float, float]]) -> None:
    device = np.cumsum([step for step, _ in pairs])
    host = device + 1000 + np.array([late for _, late in pairs])
    clock = PassiveMinimum()
    mapped = [clock.observe(d, h) for d, h in zip(device, host, strict=True)]
    np.testing.assert_allclose(mapped, passive_minimum(device, host), atol=1e-9)
    assert (np.array(mapped) <= host + 1e-9).all()


@pytest.mark.parametrize("skew", [-80e-6, 0.0, 80e-6])
def test_follows_a_clock_that_is_off_by_less_than_it_allows(skew: float) -> None:
    rng = np.random.default_rng(0)
    host = np.arange(0, 3600, 0.1)
    device = host * (1 + skew)
    mapped = passive_minimum(device, host + rng.exponential(0.02, len(host)))
    assert np.abs(mapped - host)[300:].max() < 4e-3


def test_falls_behind_a_clock_that_is_off_by_more() -> None:
    host = np.arange(0, 3600, 0.1)
    assert passive_minimum(host * (1 - 3 * SKEW), host)[-1] - host[-1] < -0.5


def test_a_late_packet_is_mapped_like_the_others() -> None:
    clock = PassiveMinimum()
    for device in (1.0, 2.0, 3.0):
        clock.observe(device, device + 10)
    assert clock.observe(2.5, 15.0) == pytest.approx(12.5)
    assert clock.offset == pytest.approx(10)


def test_forgets_when_told() -> None:
    clock = PassiveMinimum()
    clock.observe(5.0, 6.0)
    clock.reset()
    assert math.isnan(clock.offset)
    assert clock.observe(5.0, 600.0) == 600.0


class TestArrivalLine:
    def watch(self, line: ArrivalLine, period: float, seconds: float, jitter: float, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        arrival = 0.0
        for index in range(int(seconds / period)):
            made = 500 + index * period
            late = float(rng.exponential(jitter)) + (made % 60 > 58) * (60 - made % 60)
            arrival = max(arrival, made + late)
            line.observe(index, arrival)

    @pytest.mark.parametrize("off", [-0.05, -200e-6, 0.0, 200e-6, 0.05])
    def test_learns_the_period_from_late_arrivals(self, off: float) -> None:
        line = ArrivalLine(0.02)
        assert not line.begun
        self.watch(line, 0.02 * (1 + off), 200, jitter=0.03)
        assert line.begun
        assert line.period == pytest.approx(0.02 * (1 + off), rel=20e-6)
        assert line.at(5000) == pytest.approx(500 + 5000 * 0.02 * (1 + off), abs=5e-3)
        assert line.index(line.at(1234)) == pytest.approx(1234)
        assert 0.01 < line.lateness < 0.2

    def test_is_the_nominal_line_at_first(self) -> None:
        line = ArrivalLine(0.02)
        self.watch(line, 0.021, 3, jitter=0.03)
        assert line.period == 0.02

    def test_keeps_the_period_when_it_forgets_the_rest(self) -> None:
        line = ArrivalLine(0.02)
        self.watch(line, 0.021, 100, jitter=0.01)
        period = line.period
        line.reset()
        assert (line.begun, line.period, line.seconds) == (False, period, 0.0)
        line.observe(7, 900.0)
        assert line.at(8) == pytest.approx(900 + period)

    def test_memory_is_bounded(self) -> None:
        line = ArrivalLine(0.1)
        self.watch(line, 0.1, 600, jitter=0.01)
        assert 115 < line.seconds < 135


class TestBenchmark:
    def test_the_mapping_beats_the_plain_ways_on_every_link(self) -> None:
        errors = mapping_errors(seeds=2)
        assert set(errors) == set(CONDITIONS)
        for condition, methods in errors.items():
            best = methods.pop("passive minimum")
            for other in methods.values():
                assert best[0] < other[0] / 2, condition
                assert best[1] < other[1], condition

    def test_nothing_arrives_before_it_is_sent(self) -> None:
        for link in CONDITIONS.values():
            device, host, arrival = simulate(link, seed=0)
            assert (arrival > host).all()
            assert (np.diff(arrival) >= 0).all()
            assert (np.diff(device) > 0).all()

    def test_prints_the_table_that_the_page_shows(self) -> None:
        command = [sys.executable, "-W", "error", "-m", "img2imu_bridge.clock_benchmark"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        lines = done.stdout.splitlines()
        assert len(lines) == 2 + len(CONDITIONS)
        assert all(line.count("|") == 5 for line in lines)
        page = (Path(__file__).parents[2] / "docs" / "time.md").read_text(encoding="utf-8").splitlines()
        for line in lines[2:]:
            (shown,) = (other for other in page if other.startswith(line[: line.index("|", 1)]))
            numbers, promised = ([float(n) for n in re.findall(r"[\d.]+", text)] for text in (line, shown))
            assert numbers == pytest.approx(promised, rel=0.02, abs=0.1)
        assert clock_mapping().keys() == {"clock_error_ms"}

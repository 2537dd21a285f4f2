"""More to decide on than can be: no sample is lost, decisions are thinned evenly, and none comes too late."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest

import img2imu_edge as i2e

if sys.platform == "win32":
    pytest.skip("wearables behind ptys", allow_module_level=True)

from benchmarks.load import QUEUE, SlowEngine, measure
from benchmarks.player import Play

WEARABLES, SPEED, OVERLOAD = 3, 4.0, 4
HOP_S = 0.5
"""Seconds of motion between decisions of the shipped model."""


@pytest.mark.parametrize("batch", [1, 10])
def test_too_much_to_decide_on_thins_decisions_evenly_and_costs_no_sample(
    batch: int, model: i2e.Model
) -> None:
    round_s = OVERLOAD * HOP_S / SPEED
    slow = replace(model, engine=SlowEngine(model.engine, round_s / WEARABLES))
    play = Play("pty", 50.0, 16.0, WEARABLES, speed=SPEED, batch=batch, queue=QUEUE)
    result = measure(play, slow)
    assert result.made == WEARABLES * 16 * 50
    assert result.missing == 0
    assert result.decisions + result.skipped == result.due
    assert result.skipped > result.due / 2
    even = sum(times for apart, times in result.distances.items() if abs(apart - OVERLOAD) <= 1)
    assert even >= 0.75 * sum(result.distances.values())
    assert max(result.distances) <= 2 * OVERLOAD
    assert result.max_ms <= 4e3 * round_s

"""More to decide on than can be: no sample is lost, decisions are thinned evenly, and none comes too late."""

from __future__ import annotations

import sys
from dataclasses import replace
from statistics import median

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
    play = Play("pty", 50.0, 14.0, WEARABLES, speed=SPEED, batch=batch, queue=QUEUE)
    result = measure(play, slow)
    assert result.made == WEARABLES * 14 * 50
    assert result.missing == 0
    assert result.decisions + result.skipped == result.due
    assert result.skipped > result.due / 2
    # Evenly: all about as far apart as usual, but for where each wearable's stream begins and ends.
    apart = [distance for distance, times in result.distances.items() for _ in range(times)]
    usual = median(apart)
    assert usual >= OVERLOAD - 1
    assert sum(abs(distance - usual) > usual / 2 for distance in apart) <= 2 * WEARABLES
    assert max(apart) <= 3 * OVERLOAD
    assert result.max_ms <= 4e3 * round_s

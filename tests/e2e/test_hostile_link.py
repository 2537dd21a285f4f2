"""Ten minutes of recording over a link that does everything wrong, played fast."""

from __future__ import annotations

import math
import tracemalloc
from urllib.parse import urlencode

import numpy as np

import img2imu_edge as i2e

FAULTS = {
    "loss": 0.05,
    "bit_errors": 0.01,
    "duplicate": 0.02,
    "reorder": 0.02,
    "skew_ppm": 300,
    "jitter_ms": 30,
    "unplug_every_s": 20,
}


async def test_every_sample_is_right_or_accounted_for(model: i2e.Model, recording: i2e.Recording) -> None:
    loops = math.ceil(600 / recording.times[-1])
    lap, per_lap = len(recording) / recording.rate, len(recording)
    options = {"recording": i2e.demo_recording(), "speed": 60, "loops": loops, **FAULTS}
    decisions: list[i2e.Decision] = []
    levels: list[int] = []
    received, lost, expected = 0, 0, 0
    async with i2e.open_source(f"virtual:?{urlencode(options)}") as source:
        session = i2e.Session(model, source.info.rate, source.info.channels)
        tracemalloc.start()
        async for block in source:
            sample = np.rint(block.times * recording.rate).astype(int)
            # In its place: right after the samples that the block says were lost.
            assert sample[0] == expected + block.lost
            np.testing.assert_array_equal(np.diff(sample), 1)
            expected = int(sample[-1]) + 1
            loop, place = sample // per_lap, sample % per_lap
            np.testing.assert_allclose(block.times, loop * lap + recording.times[place], atol=1e-6)
            np.testing.assert_array_equal(block.values, recording.values[place])
            received, lost = received + len(block), lost + block.lost
            decisions += session.push(block)
            levels.append(tracemalloc.get_traced_memory()[0])
        tracemalloc.stop()
    made = loops * len(recording)
    assert source.stats.reconnects >= 0.8 * 600 / FAULTS["unplug_every_s"]
    assert source.stats.samples_received == received
    assert source.stats.samples_lost == lost + made - expected
    assert source.stats.samples_received + source.stats.samples_lost == made
    assert 0.05 * made < source.stats.samples_lost < 0.5 * made
    # Memory: what is kept are the decisions; half of the run later it has grown by no more than theirs.
    middle, end = np.median(levels[len(levels) // 3 : len(levels) // 2]), np.median(levels[-100:])
    assert end - middle < 4096 * len(decisions)
    # Decisions resume after every unplugging, in the last lap too.
    good = [d for d in decisions if d.status == "ok"]
    assert good[-1].time > (loops - 0.2) * lap
    assert all(d.coverage >= model.card.decision.min_coverage for d in good)

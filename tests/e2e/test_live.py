"""The whole way, live, through genuine processes and ports."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlencode

import pytest

import img2imu_edge as i2e


async def live(url: str, model: i2e.Model) -> tuple[i2e.Source, list[i2e.Decision]]:
    async with i2e.open_source(url) as source:
        return source, [decision async for decision in i2e.classify(source, model)]


@pytest.mark.parametrize("batch", [1, 10, 37])
async def test_live_decisions_equal_offline_ones(
    batch: int, model: i2e.Model, offline: list[i2e.Decision]
) -> None:
    options = {"recording": i2e.demo_recording(), "speed": 30, "batch": batch}
    source, decisions = await live(f"virtual:?{urlencode(options)}", model)
    assert source.stats.samples_lost == 0
    assert decisions == offline
    assert all(d.latency_ms is not None and d.latency_ms >= 0 for d in decisions[:-2])


async def test_a_replay_gives_the_same_decisions(model: i2e.Model, offline: list[i2e.Decision]) -> None:
    _, decisions = await live(f"replay:{i2e.demo_recording()}?speed=0", model)
    assert decisions == offline


async def test_a_model_for_six_axes_on_a_device_with_three(model: i2e.Model, tmp_path: Path) -> None:
    recording = tmp_path / "acc.csv"
    rows = [f"{i * 0.02:.2f},0,0,9.81" for i in range(200)]
    recording.write_text("\n".join(["time,acc_x,acc_y,acc_z", *rows]))
    with pytest.raises(i2e.SensorMismatchError, match="gyr_x"):
        await live(f"virtual:?{urlencode({'recording': recording, 'speed': 20})}", model)


def test_unknown_schemes_are_told_the_known_ones() -> None:
    with pytest.raises(i2e.SourceError, match=r"ble:, .*replay:, .*serial:, .*virtual:"):
        i2e.open_source("carrier-pigeon:home")

"""What the recorder's screen draws."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from rich.console import Console

from img2imu_edge.cli.record_view import Progress, record_view
from img2imu_edge.cli.traces import Traces, braille
from img2imu_edge.labelling import Labelling
from img2imu_edge.samples import ACCELEROMETER, GYROSCOPE, SampleBlock


def stream(seconds: float, rate: float, channels: tuple[str, ...] = ACCELEROMETER) -> SampleBlock:
    times = np.arange(0, seconds, 1 / rate)
    values = np.tile(np.sin(times)[:, None], len(channels)).astype(np.float32)
    return SampleBlock(times, values, channels)


def test_dots_of_a_character() -> None:
    dots = np.zeros((4, 4), bool)
    dots[0, 0] = dots[3, 1] = dots[1, 2] = True
    assert braille(dots) == ["\u2881\u2802"]


def test_a_ramp_rises_and_a_gap_stays_empty() -> None:
    traces = Traces(("acc_x",), seconds=6.0)
    times = np.arange(0, 6, 0.02)
    there = (times < 2) | (times > 4)
    values = times[:, None].astype(np.float32)
    for part in (times < 2, times > 4):
        traces.push(SampleBlock(times[part], values[part], ("acc_x",)))
    (line,), low, high = traces.draw("acc_x", 30, 1, least=0.1)
    assert (low, high) == (0, pytest.approx(5.98))
    assert set(line[11:19]) == {"\u2800"}
    assert "\u2800" not in line[:9]
    assert ord(line[0]) & 0xC0  # the lowest dots
    assert ord(line[-1]) & 0x09  # the highest
    assert traces.rate == pytest.approx(50)
    assert there.any()


def test_only_the_last_seconds_are_kept_whatever_comes() -> None:
    traces = Traces(ACCELEROMETER, seconds=2.0)
    for k in range(50):
        one = stream(1, 1000)
        traces.push(SampleBlock(one.times + k, one.values, one.channels))
    assert traces._held <= 4000
    traces.push(stream(1, 10))  # the clock began anew
    assert traces._held == 10


@pytest.mark.parametrize(("width", "height"), [(80, 24), (40, 14), (24, 8), (200, 50)])
def test_the_screen_fits_the_terminal(width: int, height: int) -> None:
    channels = ACCELEROMETER + GYROSCOPE
    progress = Progress("watch", Traces(channels), Labelling(("walk", "run")), 50.0, keys=True)
    progress.traces.push(stream(6, 50, channels))
    progress.samples, progress.lost = Counter({"walk": 500, "": 100}), 3
    console = Console(width=width, height=height, force_terminal=True, color_system=None)
    with console.capture() as shown:
        console.print(record_view(progress, console.size))
    lines = shown.get().splitlines()
    assert max(map(len, lines)) <= width
    assert "walk" in shown.get()
    if height >= 14:
        assert len(lines) <= height
    if width >= 80:
        assert "1 walk 10 s   2 run 0 s   no label 2 s" in shown.get()
        assert "lost 3 (0.5%)" in shown.get()

"""What is told after a recording."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

import img2imu_edge as i2e
from img2imu_edge.cli import record
from img2imu_edge.cli.record_view import Progress
from img2imu_edge.cli.recorder import Plan, Recorder
from img2imu_edge.cli.traces import Traces
from img2imu_edge.labelling import Labelling
from img2imu_edge.recording_writer import create_recording
from img2imu_edge.samples import ACCELEROMETER, SampleBlock


def test_samples_that_were_left_out_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(width=160)
    plan = Plan("virtual:", (), "ann", "", "", tmp_path, 0.0, 0.0)
    recorder = Recorder(plan, i2e.open_source(plan.url), console)
    recorder.progress = Progress("band", Traces(ACCELEROMETER), Labelling(()), 50.0)
    times = np.array([0.0, 0.02, 0.01, 0.04])
    with create_recording(tmp_path, "ann", ACCELEROMETER, {}) as recorder.writer:
        recorder.writer.write(SampleBlock(times, np.ones((4, 3), np.float32), ACCELEROMETER), [""] * 4)
    record._summarise(recorder, console)
    assert "1 samples were left out: their times do not come after" in capsys.readouterr().out

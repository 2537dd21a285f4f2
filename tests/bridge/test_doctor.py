"""The doctor's page on sources that are well, ill, and not there."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest
from img2imu_bridge.doctor.advice import advise
from img2imu_bridge.doctor.command import without_secrets
from img2imu_bridge.doctor.computer import describe_computer
from img2imu_bridge.doctor.measure import Measurement, measure
from img2imu_bridge.doctor.page import page

from img2imu_edge.errors import SourceError
from img2imu_edge.samples import ACCELEROMETER, STANDARD_GRAVITY, SampleBlock
from img2imu_edge.source import LinkStats, StreamInfo, open_source

COMPUTER = {"machine": "test", "load": "0.1 on 2 CPUs"}


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-m", "img2imu_edge", "doctor", *arguments]
    command[3:5] = ["-c", "from img2imu_edge.cli import main; main()"]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env=os.environ | {"COLUMNS": "80"}
    )


async def examined(url: str, seconds: float = 2.0) -> Measurement:
    return await measure(open_source(url), seconds, lambda share: None)


class Resting:
    """A device on a desk, as a source: what it sends is made up, how it is measured is not."""

    def __init__(self, *, scale: float = 1.0, late: float = 0.0, fail: str = "", blocks: int = 200) -> None:
        self.url = "resting:"
        self.stats = LinkStats()
        self.info = StreamInfo("rock", ACCELEROMETER, 100.0)
        self.closed = False
        self._scale, self._late, self._fail, self._blocks = scale, late, fail, blocks

    def link_facts(self) -> dict[str, str]:
        return {"link": "stone", "MTU": "247"}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.closed = True

    async def __aiter__(self) -> AsyncIterator[SampleBlock]:
        rng = np.random.default_rng(0)
        for number in range(self._blocks):
            times = (np.arange(10) + 10 * number) / 100
            values = rng.normal(scale=0.02, size=(10, 3)).astype(np.float32)
            values[:, 2] += STANDARD_GRAVITY
            received = 500 + times[-1] + (self._late if number % 20 == 19 else 0.001)
            self.stats.messages += 1
            self.stats.samples_received += 10
            yield SampleBlock(times, values * np.float32(self._scale), ACCELEROMETER, 0, received)
            await asyncio.sleep(0)
        if self._fail:
            raise SourceError(self._fail)


async def test_a_device_at_rest() -> None:
    source = Resting()
    shares: list[float] = []
    found = await measure(source, 5.0, shares.append)
    assert source.closed
    assert found.error == ""
    assert found.rate == pytest.approx(100)
    assert found.gravity == pytest.approx(STANDARD_GRAVITY, abs=0.01)
    assert list(found.noise) == list(ACCELEROMETER)
    assert all(noise == pytest.approx(0.02, rel=0.1) for noise in found.noise.values())
    assert found.still_seconds == 20
    assert found.link == {"link": "stone", "MTU": "247"}
    assert abs(found.drift_ppm) < 100
    assert all(0 <= share <= 1 for share in shares)
    advice = advise(found, COMPUTER)
    assert advice == []
    text = page("resting:", found, COMPUTER, advice)
    assert "nothing is wrong" in text
    assert re.search(r"gravity +9\.8. m/s²", text)
    assert re.search(r"MTU +247", text)


async def test_wrong_units_and_late_arrivals() -> None:
    found = await measure(Resting(scale=1 / STANDARD_GRAVITY, late=0.4), 5.0, lambda share: None)
    advice = advise(found, COMPUTER)
    assert [(each.mark, each.about) for each in advice] == [("FAIL", "units"), ("warn", "arrival lateness")]
    assert "looks like g" in advice[0].text
    assert found.arrival_late_ms["p50"] < 10
    assert found.arrival_late_ms["p99"] == pytest.approx(400, abs=10)


async def test_a_source_that_fails_on_the_way_is_measured_until_then() -> None:
    found = await measure(Resting(fail="the stone broke; glue it"), 5.0, lambda share: None)
    assert found.error == "the stone broke; glue it"
    assert found.counters["samples_received"] == 2000
    assert found.rate == pytest.approx(100)
    assert (advise(found, COMPUTER)[0].mark, advise(found, COMPUTER)[0].about) == ("FAIL", "connection")


async def test_a_source_that_says_nothing() -> None:
    found = await measure(Resting(blocks=0), 5.0, lambda share: None)
    (advice,) = advise(found, COMPUTER)
    assert (advice.mark, advice.about) == ("FAIL", "received")
    assert "nothing came" in advice.text
    assert "RATE" not in page("resting:", found, COMPUTER, [advice])


async def test_a_lossy_virtual_wearable() -> None:
    found = await examined("virtual:?loss=0.3&duplicate=0.2&bit_errors=0.05&seed=1&speed=5")
    assert found.counters["samples_lost"] > 50
    assert found.rate == pytest.approx(50, rel=1e-3)
    marks = {each.about: each.mark for each in advise(found, COMPUTER)}
    assert marks["lost"] == "FAIL"
    assert marks["duplicates"] == marks["corrupt"] == "warn"


async def test_the_drift_of_a_virtual_wearable() -> None:
    found = await examined("virtual:?skew_ppm=8000", 6.5)
    assert found.drift_ppm == pytest.approx(8000, abs=max(1500, 3 * found.drift_uncertainty_ppm))
    assert any(each.about == "clock drift" and "no quartz" in each.text for each in advise(found, COMPUTER))


def test_the_page_fits_and_can_be_pasted(make_recording: Callable[..., Any], tmp_path: Path) -> None:
    make_recording(600)
    done = run(f"replay:{tmp_path / 'run.csv'}?speed=max", "--seconds", "1")
    assert done.stderr == ""
    assert max(len(line) for line in done.stdout.splitlines()) <= 80 + len(str(tmp_path))
    assert "\x1b" not in done.stdout
    for title in ("LINK", "TIME", "VALUES", "COMPUTER", "WHAT TO DO"):
        assert f"\n{title}\n" in done.stdout
    for name in ("img2imu-edge", "Python", "bleak", "numpy", "onnxruntime", "system"):
        assert re.search(rf"^ +{name} +\S", done.stdout, re.MULTILINE), name
    assert re.search(r"received +600 samples", done.stdout)


def test_json_has_numbers_and_no_nan(make_recording: Callable[..., Any], tmp_path: Path) -> None:
    make_recording(600, without=range(100, 120))
    done = run(f"replay:{tmp_path / 'run.csv'}?speed=max", "--seconds", "1", "--json")

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    told = json.loads(done.stdout, parse_constant=refuse)
    assert told["counters"]["samples_lost"] == 20
    assert told["rate"] == pytest.approx(50)
    assert told["computer"]["numpy"] == np.__version__
    assert {"mark", "about", "text"} == set(told["advice"][0])


def test_a_source_that_is_not_there_gets_a_page_too(tmp_path: Path) -> None:
    done = run(f"replay:{tmp_path / 'nothing.csv'}", "--seconds", "1")
    assert done.returncode == 1
    assert "FAIL  connection" in done.stdout
    assert "img2imu-edge" in done.stdout


def test_a_bar_shows_the_progress_on_a_terminal(make_recording: Callable[..., Any], tmp_path: Path) -> None:
    make_recording(600)
    master, slave = pty.openpty()
    code = "from img2imu_edge.cli import main; main()"
    command = [sys.executable, "-c", code, "doctor", f"replay:{tmp_path / 'run.csv'}", "--seconds", "1"]
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "80"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=slave, env=environment) as process:
        os.close(slave)
        output, _ = process.communicate()
    shown = os.read(master, 65536).decode()
    os.close(master)
    assert "measuring for 1 s" in shown
    assert "\x1b" not in output.decode()


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("ble://C8:2B:96:11:22:33?profile=bangle", "ble://C8:2B:96:xx:xx:xx?profile=bangle"),
        ("mqtt://me:secret@host/topic", "mqtt://host/topic"),
        ("serial:///dev/ttyUSB0?baud=9600", "serial:///dev/ttyUSB0?baud=9600"),
        ("virtual:", "virtual:"),
        ("sensorlogger:?host=0.0.0.0&token=long-secret", "sensorlogger:?host=0.0.0.0&token=…"),
    ],
)
def test_what_is_nobodys_business_is_left_out(url: str, shown: str) -> None:
    assert without_secrets(url) == shown


def test_the_computer_is_described() -> None:
    facts = describe_computer()
    assert facts["numpy"] == np.__version__
    assert all(isinstance(value, str) and value for value in facts.values())
    assert re.fullmatch(r"[\d.]+ on \d+ CPUs", facts["load"])

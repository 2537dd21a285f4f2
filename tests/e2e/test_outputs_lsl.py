"""LSL, with genuine inlets of liblsl on this computer."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from ctypes.util import find_library
from pathlib import Path
from typing import Any

import pytest

import img2imu_edge as i2e
from img2imu_edge.decision import Decision
from img2imu_edge.errors import OutputError
from img2imu_edge.session import SessionStats
from img2imu_edge.sinks import Counters, Decided, Event, Sink, open_sink
from img2imu_edge.source import LinkStats

try:
    import pylsl
except (ModuleNotFoundError, RuntimeError) as error:
    pytest.skip(f"LSL is not installed: {error}", allow_module_level=True)

LABELS = ("arm, up", "sauter à la corde 🤸", 'say "ah"')


def inlet(name: str) -> Any:
    found = pylsl.resolve_byprop("name", name, 1, 20)
    assert found, f"no stream {name}"
    inlet = pylsl.StreamInlet(found[0], recover=False)
    inlet.open_stream(10)
    return inlet


@pytest.fixture
def sink() -> Iterator[Sink]:
    name = f"test {os.getpid()} {time.monotonic_ns()}"
    sink = open_sink(f"lsl:{name}", LABELS)
    sink.start()
    yield sink
    sink.close()


def name_of(sink: Sink) -> str:
    return sink.url.removeprefix("lsl:")


def decided(time_s: float, label: str | None, latency_ms: float | None = None) -> Decided:
    scores = dict(zip(LABELS, (0.5, 0.25, 0.25), strict=True)) if label else {}
    status = "ok" if label else "gap"
    return Decided("left wrist", Decision(time_s, label, 0.5, 1.0, status, scores, latency_ms=latency_ms))


def test_labels_and_scores_are_two_streams_on_the_clock_of_lsl(sink: Sink) -> None:
    sink.take(decided(0.0, None))  # with it the streams begin
    labels, scores = (inlet(f"{name_of(sink)} left wrist {kind}") for kind in ("labels", "scores"))
    sink.take(Event("left wrist", "warning", "loose"))
    sink.take(Counters.of("left wrist", LinkStats(), SessionStats()))
    earliest = pylsl.local_clock()
    message = decided(1.0, LABELS[1])
    time.sleep(0.2)  # it waits for its turn
    sink.take(message)
    latest = pylsl.local_clock()
    sink.take(decided(2.0, None))
    late = decided(3.0, LABELS[0], latency_ms=5000.0)
    sink.take(late)
    got = [labels.pull_sample(5) for _ in range(3)]
    assert [sample for sample, _ in got] == [[LABELS[1]], ["none"], [LABELS[0]]]
    # Two clocks cannot be read at once: a second is for what this computer does in between.
    assert earliest - 1.0 < got[0][1] < latest - 0.199
    assert latest - 6.0 < got[2][1] < pylsl.local_clock() - 4.999
    (first, at), (second, then) = scores.pull_sample(5), scores.pull_sample(5)
    assert (first, second) == ([0.5, 0.25, 0.25], [0.5, 0.25, 0.25])
    assert (at, then) == (got[0][1], got[2][1])


def test_metadata_say_what_is_what(sink: Sink) -> None:
    sink.take(decided(0.0, None))
    scores = inlet(f"{name_of(sink)} left wrist scores").info(5)
    assert scores.get_channel_labels() == list(LABELS)
    assert (scores.type(), scores.channel_count(), scores.channel_format()) == ("Scores", 3, pylsl.cf_float32)
    assert scores.desc().child_value("source") == "left wrist"
    labels = inlet(f"{name_of(sink)} left wrist labels").info(5)
    assert (labels.type(), labels.channel_format(), labels.nominal_srate()) == (
        "Markers",
        pylsl.cf_string,
        0.0,
    )
    assert labels.source_id() != scores.source_id()


def test_a_stream_ends_with_its_sink(sink: Sink) -> None:
    sink.take(decided(0.0, "arm, up"))
    name = f"{name_of(sink)} left wrist labels"
    assert pylsl.resolve_byprop("name", name, 1, 10)
    assert sink.close() == sink.close() == 0
    assert pylsl.resolve_byprop("name", name, 1, 0.5) == []
    sink.take(decided(1.0, "arm, up"))
    assert pylsl.resolve_byprop("name", name, 1, 0.5) == []


def test_a_live_run_is_recorded(offline: list[Decision]) -> None:
    name = f"run {os.getpid()}"
    command = [
        Path(sys.executable).with_name("img2imu"), "run", f"replay:{i2e.demo_recording()}?speed=20",
        "--model", "shoulder", "--json", "--out", f"lsl:{name}",
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        reader = inlet(f"{name} shoulder labels")
        got = [reader.pull_sample(10) for _ in range(100)]
        out, said = process.communicate()
    assert (process.returncode, out.count('"time"')) == (0, len(offline))
    warning = f'{{"source": "lsl:{name}", "event": "warning", "message": "LSL knows no password'
    assert (said, out.count(warning)) == ("", 1)
    heard = [sample[0] for sample, _ in got]
    known = [decision.label or "none" for decision in offline]
    assert any(known[at : at + 100] == heard for at in range(len(known)))
    times = [at for _, at in got]
    assert times == sorted(times)
    assert times[-1] - times[0] > 1.0  # 100 decisions, twice a second, 20 times faster than life


@pytest.mark.skipif(find_library("lsl") is not None, reason="the system has a liblsl")
def test_that_liblsl_is_missing_is_told_with_where_to_get_it(tmp_path: Path) -> None:
    """As on a Raspberry Pi, where pylsl comes without it."""
    shutil.copytree(Path(pylsl.__file__).parent, tmp_path / "pylsl", ignore=shutil.ignore_patterns("*lsl*.*"))
    line = [Path(sys.executable).with_name("img2imu"), "run", "virtual:", "--model", "shoulder"]
    environment = {key: value for key, value in os.environ.items() if key != "PYLSL_LIB"}
    done = subprocess.run(
        [*line, "--out", "lsl:Wrist"],
        env=environment | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "error: lsl: needs liblsl" in done.stderr
    assert "github.com/sccn/liblsl" in done.stderr


def test_an_option_that_there_is_not_is_told() -> None:
    with pytest.raises(OutputError, match="no option 'scope'; there are: none"):
        open_sink("lsl:Wrist?scope=machine")

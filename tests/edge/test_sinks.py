"""Outputs never delay the stream; what they cannot take is counted and told."""

from __future__ import annotations

import asyncio
import csv
import errno
import json
import re
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import img2imu_edge as i2e
from img2imu_edge.decision import Decision
from img2imu_edge.errors import MissingExtraError, OutputError
from img2imu_edge.session import SessionStats
from img2imu_edge.sinks import Counters, Decided, Event, Message, open_sink
from img2imu_edge.sinks.csv import COLUMNS
from img2imu_edge.sinks.outlet import Outlet
from img2imu_edge.sinks.outlets import Outlets
from img2imu_edge.source import LinkStats
from tests.conftest import Run


def decided(n: float, latency_ms: float | None = 1.0) -> Decided:
    return Decided("wrist", Decision(float(n), "walking", 0.5, 1.0, "ok", latency_ms=latency_ms))


def counters(source: str, received: int) -> Counters:
    return Counters.of(source, LinkStats(samples_received=received), SessionStats())


class Gate:
    """A sink that takes messages only while it is open, and fails on purpose."""

    url = "gate:"

    def __init__(self) -> None:
        self.warnings: list[str] = []
        self.got: list[Message] = []
        self.open, self.closed = threading.Event(), threading.Event()
        self.fails: Exception | None = None

    def start(self) -> None: ...

    def take(self, message: Message) -> None:
        self.open.wait()
        if self.closed.is_set():
            raise ConnectionAbortedError
        if self.fails:
            raise self.fails
        self.got.append(message)

    def close(self) -> int:
        self.closed.set()
        self.open.set()
        return 0


def test_what_waits_for_a_slow_sink_arrives_in_order() -> None:
    gate = Gate()
    outlet = Outlet(gate)
    outlet.start()
    sent = [decided(n) for n in range(1000)]
    begin = time.monotonic()
    for message in sent:
        outlet.put(message)
    assert time.monotonic() - begin < 0.5
    gate.open.set()
    outlet.close()
    assert gate.got == sent
    assert (outlet.dropped, outlet.news()) == (0, [])


def test_beyond_the_bound_the_oldest_go_and_it_is_told_once_and_in_the_end() -> None:
    gate = Gate()
    outlet = Outlet(gate, size=10)
    outlet.start()
    outlet.put(decided(0))
    while outlet._queue:  # until the thread waits with the first one in its hand
        time.sleep(0.001)
    for n in range(1, 31):
        outlet.put(decided(n))
    assert outlet.dropped == 20
    assert outlet.news() == ["cannot keep up: 10 messages wait, and the oldest are dropped"]
    gate.open.set()
    outlet.close()
    times = [message.decision.time for message in gate.got if isinstance(message, Decided)]
    assert times == [0.0, *map(float, range(21, 31))]
    assert outlet.news() == ["20 messages were not delivered"]


def test_a_dead_sink_is_not_waited_for_at_the_end() -> None:
    gate = Gate()
    outlet = Outlet(gate, stuck_s=0.3)
    outlet.start()
    for n in range(7):
        outlet.put(decided(n))
    begin = time.monotonic()
    outlet.close()
    assert 0.1 < time.monotonic() - begin < 1.0
    assert (gate.got, outlet.dropped) == ([], 7)
    assert outlet.news() == ["7 messages were not delivered"]


def test_a_sink_that_fails_gets_the_next_message_and_it_is_told() -> None:
    gate = Gate()
    gate.open.set()
    gate.fails = RuntimeError("a fault in somebody's plug-in")
    outlet = Outlet(gate)
    outlet.start()
    for n in range(3):
        outlet.put(decided(n))
    while outlet.dropped < 3:
        time.sleep(0.001)
    gate.fails = None
    outlet.put(decided(3))
    outlet.close()
    assert gate.got == [decided(3)] or [m.decision.time for m in gate.got if isinstance(m, Decided)] == [3.0]
    assert outlet.news() == [
        "a message was lost (a fault in somebody's plug-in)",
        "3 messages were not delivered",
    ]


def test_a_sink_that_fails_to_close_keeps_no_other_from_closing() -> None:
    class Awkward(Gate):
        def close(self) -> int:
            super().close()
            raise OSError(errno.ENOSPC, "No space left on device")  # as a file system of the network says it

    awkward, other = Awkward(), Gate()
    awkward.url, other.url = "awkward", "other"
    awkward.open.set()
    other.open.set()
    with Outlets([awkward, other]) as outlets:
        outlets.send(decided(0))
    assert other.closed.is_set()
    assert outlets.farewell == [("awkward", "it did not close as it should (No space left on device)")]
    assert [type(message) for message in other.got] == [Decided, Event]


def test_of_counters_that_wait_the_latest_are_kept() -> None:
    gate = Gate()
    outlet = Outlet(gate)
    outlet.start()
    outlet.put(decided(0))
    while outlet._queue:
        time.sleep(0.001)
    for n in range(100):
        outlet.put(counters("a", n))
        outlet.put(counters("b", 2 * n))
    gate.open.set()
    outlet.close()
    assert gate.got[1:] == [counters("a", 99), counters("b", 198)]


async def test_a_source_as_fast_as_it_is_taken_waits_for_outputs_and_a_live_one_does_not() -> None:
    gate = Gate()
    gate.open.set()
    outlets = Outlets([gate])
    with outlets:
        for n in range(10_000):
            await outlets.decide("wrist", decided(n, None).decision)
    assert len(gate.got) == 10_000
    shut = Gate()
    outlets = Outlets([shut])
    outlets._outlets[0]._stuck_s = 0.5
    with outlets:
        begin = time.monotonic()
        for n in range(10_000):
            await outlets.decide("wrist", decided(n, 5.0).decision)
        assert time.monotonic() - begin < 2
    assert outlets.farewell[-1] == ("gate:", "10000 messages were not delivered")


async def test_a_dead_output_holds_up_even_a_fast_source_only_once() -> None:
    gate = Gate()
    outlets = Outlets([gate])
    outlets._outlets[0]._stuck_s = 0.3
    begin = time.monotonic()
    with outlets:
        for n in range(6_000):
            await asyncio.wait_for(outlets.decide("wrist", decided(n, None).decision), 5)
    assert time.monotonic() - begin < 3


def test_csv_has_a_row_for_each_decision(img2imu: Run, tmp_path: Path, offline: list[Decision]) -> None:
    source = f"replay:{i2e.demo_recording()}?speed=0"
    files = [tmp_path / name for name in ("a.csv", "a.jsonl", "odd name%20.txt")]
    outs = [part for path in files for part in ("--out", path)]
    done = img2imu("run", source, "--model", "shoulder", *outs)
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader(files[0].read_text().splitlines()))
    labels = i2e.load_model("shoulder").card.labels
    assert tuple(rows[0]) == (*COLUMNS, *(f"score_{label}" for label in labels))
    scores = [
        {key.removeprefix("score_"): float(cell) for key, cell in row.items() if key[:6] == "score_" and cell}
        for row in rows
    ]
    assert scores == [decision.scores for decision in offline]
    assert [float(row["time"]) for row in rows] == [decision.time for decision in offline]
    assert [row["label"] for row in rows] == [decision.label or "" for decision in offline]
    assert [float(row["confidence"]) for row in rows] == [decision.confidence for decision in offline]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", rows[0]["at"])
    lines = [json.loads(line) for line in files[1].read_text().splitlines()]
    assert [line.pop("source") for line in lines] == ["shoulder"] * len(offline)
    assert lines == [decision.as_dict() for decision in offline]
    assert files[2].read_bytes() == files[1].read_bytes()


def test_a_table_is_the_same_live_and_offline(img2imu: Run, tmp_path: Path) -> None:
    live, offline, batch = (tmp_path / f"{name}.csv" for name in ("live", "offline", "batch"))
    recording = i2e.demo_recording()
    runs = [
        ("run", f"replay:{recording}?speed=0", "--out", live),
        ("classify", recording, "--out", offline),
        ("classify", "--batch", recording, "--out", batch, "--workers", 1),
    ]
    for run in runs:
        done = img2imu(*run, "--model", "shoulder")
        assert done.returncode == 0, done.stderr
    rows = [list(csv.DictReader(path.read_text().splitlines())) for path in (live, offline, batch)]
    assert all(row.pop("at").startswith("20") for row in rows[0])
    assert {row.pop("at") for row in rows[1]} == {""}
    assert rows[0] == rows[1]
    for row in rows[1]:
        assert (row.pop("source"), row.pop("latency_ms")) == ("shoulder", "")
    assert {row.pop("file") for row in rows[2]} == {str(recording)}
    assert rows[1] == rows[2]


@pytest.mark.parametrize("label", ["arm, up", 'say "ah"', "two\nlines", "sauter à la corde 🤸", "=1+1", ""])
def test_any_label_and_source_come_back_from_a_table(label: str, tmp_path: Path) -> None:
    path, labels = tmp_path / "a.csv", (label, "other")
    decision = Decision(1.5, label, 0.25, 1.0, "ok", {label: 0.25, "other": 0.75})
    with Outlets([open_sink(str(path), labels)]) as outlets:
        outlets.send(Decided(f"watch of {label}", decision))
    with path.open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["source"], row["label"]) == (f"watch of {label}", label)
    assert (row[f"score_{label}"], row["score_other"]) == ("0.25", "0.75")


def test_a_name_that_is_no_utf_8_comes_back(tmp_path: Path) -> None:
    paths, source = [tmp_path / "a.csv", tmp_path / "a.jsonl"], b"caf\xe9".decode("utf-8", "surrogateescape")
    with Outlets([open_sink(str(path)) for path in paths]) as outlets:
        outlets.send(Decided(source, Decision(1.0, "walking", 0.5, 1.0, "ok")))
    assert next(csv.DictReader(paths[0].read_text().splitlines()))["source"] == r"caf\udce9"
    assert json.loads(paths[1].read_text())["source"] == source


@pytest.mark.parametrize(
    "command",
    [
        ["run", "replay:walk.csv?speed=0", "--out", "walk.csv"],
        ["run", "replay:walk.csv?speed=0", "--out", "link.jsonl"],
        ["classify", "walk.csv", "--out", "walk.csv"],
        ["classify", "walk.csv", "--out", "link.jsonl"],
        ["classify", "--batch", "*.csv", "--out", "walk.csv"],
    ],
)
def test_decisions_never_take_the_place_of_a_recording(command: list[str], tmp_path: Path) -> None:
    walk = tmp_path / "walk.csv"
    shutil.copy(i2e.demo_recording(), walk)
    shutil.copy(walk, tmp_path / "other.csv")
    (tmp_path / "link.jsonl").symlink_to(walk)
    line = [Path(sys.executable).with_name("img2imu"), *command, "--model", "shoulder"]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert re.search(r"error: (walk\.csv|link\.jsonl) is a recording, which would be lost", done.stderr)
    assert walk.read_bytes() == i2e.demo_recording().read_bytes()


def test_results_may_be_written_again(tmp_path: Path) -> None:
    for _ in range(2):
        with Outlets([open_sink(str(tmp_path / "a.csv"), ["time", "acc_x"])]) as outlets:
            outlets.send(decided(1.0))
    assert len((tmp_path / "a.csv").read_text().splitlines()) == 2


@pytest.mark.parametrize("target", ["a.csv", "./a.csv", "a.jsonl"])
def test_the_same_file_twice_is_refused(target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OutputError, match=r"a\.\w+ is given twice"):
        Outlets([open_sink(target), open_sink(target.removeprefix("./"))])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/sys/kernel").is_dir(), reason="there is no /sys, which nobody writes to")
@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_a_place_that_cannot_be_written_to_is_told(name: str, img2imu: Run) -> None:
    for command in (
        ("run", "replay:/none.csv", "--out", f"/sys/kernel/{name}"),
        ("classify", i2e.demo_recording(), "--out", f"/sys/kernel/{name}"),
    ):
        done = img2imu(*command, "--model", "shoulder")
        assert done.returncode == 1
        wanted = rf"error: cannot write /sys/kernel/{name}: (Permission denied|Read-only file system)"
        assert re.search(wanted, done.stderr), done.stderr


def test_parquet_is_for_the_batch_and_that_is_told(img2imu: Run, tmp_path: Path) -> None:
    out = tmp_path / "a.parquet"
    done = img2imu("classify", i2e.demo_recording(), "--model", "shoulder", "--out", out)
    assert (done.returncode, out.exists()) == (2, False)
    assert "--batch" in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("name", ["full.csv", "full.jsonl"])
def test_a_full_disk_is_no_success_of_classify(name: str, img2imu: Run, tmp_path: Path) -> None:
    (tmp_path / name).symlink_to("/dev/full")
    done = img2imu("classify", i2e.demo_recording(), "--model", "shoulder", "--out", tmp_path / name)
    assert done.returncode == 1
    assert re.search(rf"error: cannot write .*{name}: No space left on device", done.stderr)
    assert "Traceback" not in done.stderr


def test_a_disk_that_gets_full_and_empty_again_holds_whole_lines_alone(tmp_path: Path) -> None:
    """A limit on the size of files does what a full disk does: it takes a part of the line, then refuses."""
    script = """
import resource, signal, sys
from img2imu_edge.decision import Decision
from img2imu_edge.sinks import Decided, open_sink

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
sinks = [open_sink(path, ["walking"]) for path in sys.argv[1:]]
for sink in sinks:
    sink.start()
lost = 0
for n in range(60):
    limit = 1000 if n < 40 else resource.RLIM_INFINITY
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    for sink in sinks:
        try:
            sink.take(Decided("wrist", Decision(float(n), "walking", 0.5, 1.0, "ok", {"walking": 0.5})))
        except OSError as error:
            lost += 1
print(lost)
"""
    paths = tmp_path / "a.csv", tmp_path / "a.jsonl"
    done = subprocess.run(
        [sys.executable, "-c", script, *paths], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader(paths[0].read_text().splitlines()))
    lines = [json.loads(line) for line in paths[1].read_text().splitlines()]
    assert int(done.stdout) == 120 - len(rows) - len(lines) > 20
    for times in ([float(row["time"]) for row in rows], [line["time"] for line in lines]):
        assert times == sorted(times)
        assert times[-20:] == [float(n) for n in range(40, 60)]
    assert {row["score_walking"] for row in rows} == {"0.5"}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_full_disk_stops_nothing_and_is_told(img2imu: Run, tmp_path: Path) -> None:
    full = tmp_path / "full.jsonl"
    full.symlink_to("/dev/full")
    source = f"replay:{i2e.demo_recording()}?speed=0"
    done = img2imu("run", source, "--model", "shoulder", "--json", "--out", full)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0
    assert len([line for line in lines if "time" in line]) > 300
    assert any("No space left" in line.get("message", "") for line in lines)
    numbers = re.findall(r"full.jsonl: (\d+) messages were not delivered", done.stderr)
    assert sum(map(int, numbers)) >= 300
    assert len(numbers) == 1


def test_a_reader_that_leaves_ends_the_run_quietly() -> None:
    command = [Path(sys.executable).with_name("img2imu"), "run", f"replay:{i2e.demo_recording()}?speed=20"]
    with subprocess.Popen(
        [*command, "--model", "shoulder", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stderr
        assert json.loads(process.stdout.readline())["status"] == "warming_up"
        process.stdout.close()
        assert process.wait(15) == 1
        assert process.stderr.read() == ""


def test_a_reader_that_stops_reading_does_not_stop_decisions(tmp_path: Path) -> None:
    """A live recording whose lines go to a pipe that nobody reads goes on at its own pace, to its end."""
    path = tmp_path / "a.csv"
    command = [Path(sys.executable).with_name("img2imu"), "run", f"replay:{i2e.demo_recording()}?speed=40"]
    with subprocess.Popen(
        [*command, "--model", "shoulder", "--json", "--out", path], stdout=subprocess.PIPE
    ) as process:
        # A pipe holds 64 kB, about 200 lines; the recording makes 386.
        for _ in range(1500):
            time.sleep(0.01)
            if path.exists() and len(path.read_text().splitlines()) == 387:
                break
        assert len(path.read_text().splitlines()) == 387
        assert process.poll() is None  # it waits a while for its reader, with what is left
        assert process.stdout
        assert len(process.stdout.read().splitlines()) == 386
        assert process.wait(10) == 0


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("pigeon://home", "mqtt://.*prometheus://.*ws://"),
        ("/nowhere/a b/c.csv", "cannot write .*; make its folder first: mkdir -p '/nowhere/a b'"),
        ("/nowhere/a", "cannot write .*; make its folder first: mkdir -p /nowhere"),
        ("/", "cannot write /: Is a directory; name a file in it"),
        ("", "cannot write .: Is a directory"),
        ("mqtt:broker", "needs a host"),
        ("ws:8766", "needs a host"),
        ("ws://[::1", "is no URL: Invalid IPv6"),
    ],
)
def test_what_can_never_work_is_told_at_once(target: str, says: str) -> None:
    with pytest.raises(OutputError, match=says):
        Outlets([open_sink(target)]).__enter__()


def test_events_reach_the_other_outputs() -> None:
    gate, other = Gate(), Gate()
    gate.url = "broken:"
    other.open.set()
    outlets = Outlets([gate, other])
    outlets._outlets[0]._stuck_s = 0.2
    with outlets:
        outlets.send(decided(1))
    assert other.got[-1] == Event("broken:", "warning", "1 message was not delivered")


@pytest.mark.parametrize(
    ("url", "module", "extra"),
    [
        ("mqtt://broker/x", "paho.mqtt.client", "mqtt"),
        ("ws://127.0.0.1:1", "websockets.asyncio.server", "websocket"),
        ("prometheus://127.0.0.1:1", "prometheus_client", "prometheus"),
        ("osc://127.0.0.1:1", "pythonosc.udp_client", "osc"),
        ("lsl:Name", "pylsl", "lsl"),
    ],
)
def test_a_missing_library_is_told_with_how_to_get_it(
    url: str, module: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=rf"pip install 'img2imu-edge\[{extra}\]'"):
        open_sink(url)


def test_a_token_in_a_sources_url_stays_out_of_what_is_sent(img2imu: Run, tmp_path: Path) -> None:
    urls = [f"sensorlogger:?port=0&timeout=0.{n}&token={n}-long-secret" for n in (2, 3)]
    done = img2imu("run", *urls, "--model", "shoulder", "--json", "--out", tmp_path / "a.jsonl")
    said = done.stdout + done.stderr + (tmp_path / "a.jsonl").read_text()
    assert done.returncode == 1
    assert said.count('"event": "failed"') == 4
    assert "secret" not in said

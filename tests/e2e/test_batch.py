"""Whole archives: genuine processes that are killed, genuine files that are broken, a genuine cluster."""

from __future__ import annotations

import csv
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import img2imu_edge as i2e
from img2imu_edge.batch import FileResult, classify_archive, classify_files
from img2imu_edge.batch.files import locked
from img2imu_edge.batch.output import find_files
from img2imu_edge.batch.reader import _median, spooled
from img2imu_edge.enrol import Repeat, new_profile, personalise
from img2imu_edge.recording import demo_recording, read_recording
from tests.conftest import Run
from tests.e2e.test_docs import DOCS, SNIPPET, run

pq = pytest.importorskip("pyarrow.parquet", reason="Parquet needs the extra `batch`")

IMG2IMU = Path(sys.executable).with_name("img2imu")
LINES = demo_recording().read_text().splitlines(keepends=True)


def make(path: Path, start: int, samples: int = 700) -> Path:
    """A stretch of the demo's recording."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join([LINES[0], *LINES[start + 1 : start + 1 + samples]]))
    return path


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    for i in range(6):
        make(tmp_path / "data" / f"day{i % 2}" / f"r{i}.csv", 300 * i)
    return tmp_path


def command(*options: object, out: str = "results.parquet", workers: int = 1) -> list[str]:
    line = [IMG2IMU, "classify", "--batch", "data/**/*.csv", "-m", "shoulder", "-o", out]
    return [*map(str, line), "--workers", str(workers), *map(str, options)]


def batch(folder: Path, *options: object, out: str = "results.parquet") -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*options, out=out), cwd=folder, capture_output=True, text=True, check=False)


def expected(folder: Path, model: i2e.Model) -> list[dict[str, object]]:
    """What `classify` makes of every readable file, in order."""
    rows = []
    for path in sorted((folder / "data").glob("**/*.csv")):
        for d in i2e.classify_recording(path, model):
            row = {name: getattr(d, name) for name in ("time", "label", "confidence", "coverage", "status")}
            rows.append(
                {"file": str(path.relative_to(folder)), **row, "novelty": d.novelty, "scores": d.scores}
            )
    assert rows
    return rows


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def table(path: Path) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = pq.read_table(path).to_pylist()
    return [
        {k: v for k, v in row.items() if not k.startswith("score_")}
        | {"scores": {k[6:]: v for k, v in row.items() if k.startswith("score_") and v is not None}}
        for row in rows
    ]


def test_every_format_has_the_decisions_of_classify_to_the_bit(
    archive: Path, model: i2e.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = expected(archive, model)
    assert {row["status"] for row in wanted} >= {"ok", "warming_up"}
    done = batch(archive)
    assert done.returncode == 0, done.stderr
    assert "6 recordings" in done.stdout
    monkeypatch.chdir(archive)
    files = find_files(["data/**/*.csv", "data/day0/*"], Path("results.csv"))
    for out in ("results.jsonl", "results.csv"):
        assert classify_archive(files, model, Path(out), workers=2).windows == len(wanted)
    assert not list(archive.glob("*.pieces"))
    assert table(archive / "results.parquet") == wanted
    assert lines(archive / "results.jsonl") == wanted
    with (archive / "results.csv").open(newline="") as file:
        for row, want in zip(csv.DictReader(file), wanted, strict=True):
            assert (row["file"], float(row["time"])) == (want["file"], want["time"])
            assert float(row["confidence"]) == want["confidence"]
            assert (row["novelty"] and float(row["novelty"])) == (want["novelty"] if row["novelty"] else "")
            scores = {k[6:]: float(v) for k, v in row.items() if k.startswith("score_") and v}
            assert scores == want["scores"]


def test_after_kill_9_the_same_command_continues(archive: Path, model: i2e.Model) -> None:
    for i in range(6, 12):
        make(archive / "data" / f"r{i}.csv", 100 * i)
    out, pieces = archive / "results.parquet", archive / "results.parquet.pieces"
    line = command(out=out.name, workers=2)
    with subprocess.Popen(line, cwd=archive, stdout=subprocess.DEVNULL) as process:
        while len(list(pieces.glob("*.piece"))) < 2:
            assert process.poll() is None
            time.sleep(0.005)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        process.send_signal(signal.SIGKILL)
    assert not out.exists()
    deadline = time.monotonic() + 10
    while any(Path(f"/proc/{child}").exists() for child in children):  # none goes on without its parent
        assert time.monotonic() < deadline
        time.sleep(0.02)
    before = {path.name: path.stat().st_mtime_ns for path in pieces.glob("*.piece")}
    assert 2 <= len(before) < 12
    done = batch(archive, "--json")
    assert done.returncode == 0, done.stderr
    *files, summary = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(files) == summary["files"] == 12
    assert summary["earlier"] == len(before)
    assert table(out) == expected(archive, model)
    assert sorted(path.name for path in archive.iterdir()) == ["data", "results.parquet"]


def test_a_corrupt_file_is_skipped_listed_and_done_alone_once_repaired(
    archive: Path, model: i2e.Model
) -> None:
    bad = archive / "data" / "bad"
    bad.mkdir()
    (bad / "bytes.csv").write_bytes(b"\x00\xff" * 50)
    (bad / "cut.csv").write_text("time,acc_x")
    (bad / "three.csv").write_text("time,acc_x,acc_y,acc_z\n" + "".join(f"{i},0,0,9.8\n" for i in range(9)))
    (bad / "gone.csv").symlink_to(archive / "nowhere")
    late = make(bad / "late.csv", 0)
    late.write_text(late.read_text() + "1e9,0,0,0,0,0,zero,x\n")
    done = batch(archive)
    assert done.returncode == 3, done.stderr
    listed = lines(archive / "results.parquet.skipped.jsonl")
    assert [str(one["file"])[9:] for one in listed] == [
        "bytes.csv",
        "cut.csv",
        "gone.csv",
        "late.csv",
        "three.csv",
    ]
    reasons = ("not a text file", "lacks the columns", "cannot read", "line 702", "does not deliver gyr_x")
    for one, reason in zip(listed, reasons, strict=True):
        assert reason in str(one["error"])
        assert str(one["error"]) in done.stdout
    assert {row["file"] for row in table(archive / "results.parquet")} == {
        str(p.relative_to(archive)) for p in (archive / "data").glob("day*/*.csv")
    }
    for name in ("bytes.csv", "cut.csv", "gone.csv", "three.csv"):
        (bad / name).unlink()
    make(bad / "late.csv", 0)
    done = batch(archive)
    assert done.returncode == 0, done.stderr
    assert "7 recordings (6 by an earlier run)" in done.stdout
    assert table(archive / "results.parquet") == expected(archive, model)
    assert sorted(path.name for path in archive.iterdir()) == ["data", "results.parquet"]


def test_what_stops_everything_is_told_with_status_1(archive: Path, model: i2e.Model) -> None:
    done = batch(archive, out="data/day0/r0.csv/results.jsonl")
    assert done.returncode == 1, done.stdout
    assert "cannot write" in done.stderr
    assert "r0.csv/results.jsonl.pieces" in " ".join(done.stderr.split())
    files = find_files([str(archive / "data/**/*.csv")], archive / "out.csv")
    with pytest.raises(i2e.RecordingError, match="no file is named by nothing"):
        find_files(["nothing*.csv"], archive / "out.csv")
    with pytest.raises(i2e.RecordingError, match="choose one of these endings"):
        classify_archive(files, model, archive / "results.xlsx")
    (archive / "taken.csv").mkdir()
    with pytest.raises(i2e.RecordingError, match="is a folder"):
        classify_archive(files, model, archive / "taken.csv")
    with (
        locked(archive / "out.csv.pieces"),
        pytest.raises(i2e.RecordingError, match="another run is at work"),
    ):
        classify_archive(files, model, archive / "out.csv")


def test_a_model_with_enrolled_classes_is_not_taken_for_its_file(archive: Path, model: i2e.Model) -> None:
    novelty = model.card.decision.novelty
    assert novelty is not None
    repeats = (Repeat(novelty.centroids[0], 3),) * 3
    personal = personalise(model, new_profile(model).added("wave", repeats))
    with pytest.raises(i2e.ModelError, match="one recording at a time: classify_recording"):
        next(classify_files(archive.glob("data/*/*.csv"), personal, workers=1))


def test_what_is_wrong_with_a_side_car_skips_its_recording_alone(archive: Path, model: i2e.Model) -> None:
    deep, odd = archive / "deep.csv", archive / "odd.csv"
    make(deep, 0).with_suffix(".json").write_text("[" * 100_000)
    make(odd, 0).with_suffix(".json").write_bytes(b'{"subject": "\xff"}')
    long = make(archive / f"{'a' * 251}.csv", 0)  # a side-car's name would be too long
    results = {each.file: each for each in classify_files([deep, odd, long], model, workers=1)}
    assert results[str(long)].error is None
    for path in (deep, odd):
        told = results[str(path)].error or ""
        assert "is not valid JSON" in told
        assert "mend it, or move it away" in told
        assert refusal(partial(read_recording, path)) == told


def test_what_is_not_installed_is_named(
    archive: Path, model: i2e.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    for missing in ("pyarrow", "distributed"):
        monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(i2e.MissingExtraError, match=r"img2imu-edge\[batch\]"):
        classify_archive(["a.csv"], model, archive / "out.parquet")
    with pytest.raises(i2e.MissingExtraError, match=r"img2imu-edge\[cluster\]"):
        next(classify_files(["a.csv"], model, cluster="tcp://127.0.0.1:1"))


def test_a_full_disk_stops_the_run_and_spoils_nothing(archive: Path, model: i2e.Model) -> None:
    (archive / "results.jsonl").write_text("what was there before")
    line = [str(IMG2IMU), "classify", "--batch", "data/**/*.csv", "-m", "shoulder", "-o", "results.jsonl"]
    line += ["--workers", "1"]
    done = subprocess.run(
        line,
        cwd=archive,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000)),
    )
    assert done.returncode == 1, done.stdout
    assert "cannot write" in done.stderr
    assert (archive / "results.jsonl").read_text() == "what was there before"
    assert batch(archive, out="results.jsonl").returncode == 0
    assert lines(archive / "results.jsonl") == expected(archive, model)


def test_a_process_that_is_killed_costs_the_run_nothing(archive: Path, model: i2e.Model) -> None:
    results: Iterator[FileResult] = classify_files(
        sorted((archive / "data").glob("**/*.csv")), model, workers=1
    )
    made = {(first := next(results)).file: list(first.decisions())}
    for child in Path(f"/proc/{os.getpid()}/task").glob("*/children"):
        for pid in map(int, child.read_text().split()):
            if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes():
                os.kill(pid, signal.SIGKILL)
    made |= {result.file: list(result.decisions()) for result in results if result.error is None}
    assert len(made) == 6
    for file, decisions in made.items():
        assert decisions == i2e.classify_recording(file, model)


def test_a_genuine_cluster_gives_the_same(archive: Path, model: i2e.Model, img2imu: Run) -> None:
    distributed = pytest.importorskip("distributed", reason="a cluster needs the extra `cluster`")
    (archive / "data" / "bad.csv").write_text("nothing")
    os.environ["DASK_LOGGING__DISTRIBUTED"] = "error"
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=2, dashboard_address=None, host="127.0.0.1", silence_logs=50
    ) as cluster:
        done = batch(archive, "--cluster", cluster.scheduler_address)
        assert done.returncode == 3, done.stderr
        (archive / "data" / "bad.csv").unlink()
        made = {
            result.file: list(result.decisions())
            for result in classify_files(
                (archive / "data").glob("**/*.csv"), model, cluster=cluster.scheduler_address
            )
        }
    assert table(archive / "results.parquet") == expected(archive, model)
    assert {f: i2e.classify_recording(f, model) for f in made} == made
    assert len(made) == 6


def refusal(read: Callable[[], object]) -> str | None:
    try:
        read()
    except i2e.RecordingError as error:
        return str(error)
    return None


@pytest.mark.parametrize("seed", range(8))
def test_a_recording_is_read_in_pieces_as_it_is_read_whole(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    path, head = tmp_path / "r.csv", LINES[0]
    body = [line for line in LINES[1:9001] if dice.random() > 0.01]
    for _ in range(20):
        at = dice.randrange(len(body))
        body[at] = dice.choice(
            [body[at].replace(".", "", 1), "\n", body[at][:9], ",,,,,,,\n", body[at].upper()]
        )
    if seed < 5:
        body = [line for line in body if line.count(",") == LINES[0].count(",")]
    if seed < 3:  # times in order, some values missing, a last line that was cut
        body = [line for line in LINES[1:9001] if dice.random() > 0.01]
        body[50] = body[50].split(",")[0] + "," * LINES[0].count(",") + "\n"
        shutil.copy(demo_recording().with_suffix(".json"), tmp_path / "r.json")
    if seed % 2:  # without text in it, most is read in a faster way
        body = [line.rsplit(",", 1)[0] + "\n" if "," in line else line for line in body]
        head = LINES[0].rsplit(",", 1)[0] + "\n"
    if seed < 3:
        body[-1] = body[-1][: 4 + 3 * seed]
    if seed == 2:
        body[7000] = '"' + body[7000].replace(",", '",', 1)
    path.write_text("".join([head, *body]), newline=dice.choice(["\n", "\r\n"]))
    wrong = refusal(lambda: read_recording(path))
    assert (wrong is None) == (seed < 3)
    if wrong is not None:
        assert refusal(lambda: spooled(path, tmp_path).__enter__()) == wrong
        return
    whole = read_recording(path)
    with spooled(path, tmp_path) as recording:
        blocks = list(recording.blocks())
        assert (recording.rate, recording.channels) == (whole.rate, whole.channels)
        assert (recording.samples, recording.dropped) == (len(whole), whole.dropped)
        np.testing.assert_array_equal(np.concatenate([b.times for b in blocks]), whole.times)
        np.testing.assert_array_equal(np.concatenate([b.values for b in blocks]), whole.values)
    assert len(blocks) > 2


def test_the_median_is_numpys_to_the_bit() -> None:
    dice = np.random.default_rng(0)
    for count in (1, 2, 3, 10, 4097, 10_000):
        for numbers in (
            dice.random(count) + 1e-9,
            np.round(dice.random(count), 1) + 0.02,
            np.full(count, 0.02),
        ):
            parts = np.array_split(numbers, 3)
            assert _median(lambda parts=parts: iter(parts), count) == np.median(numbers)


@pytest.mark.timeout(240)
def test_the_page_is_true(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    for i in range(3):
        make(tmp_path / "data" / "ann" / f"{i}.csv", 300 * i)
    snippets = SNIPPET.findall((DOCS / "batch.md").read_text(encoding="utf-8"))
    said = [run(kind, text, tmp_path) for kind, text in snippets]
    assert [kind for kind, _ in snippets] == ["sh", "python", "python"]
    assert "3 recordings" in said[0]
    assert "abduction" in said[1] or "pendulum" in said[1]
    assert said[2].count("data/ann/") == 3

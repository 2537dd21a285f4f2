"""The genuine command, as people and machines use it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import img2imu_edge as i2e
from tests.conftest import Run


def lines(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def test_demo_as_json(img2imu: Run, offline: list[i2e.Decision], recording: i2e.Recording) -> None:
    done = img2imu("demo", "--speed", 60, "--json")
    assert done.returncode == 0, done.stderr
    *decisions, summary = lines(done.stdout)
    assert len(decisions) == len(offline) == summary["decisions"]
    for printed, expected in zip(decisions, offline, strict=True):
        assert printed["time"] == expected.time
        assert printed["label"] == expected.label
        assert printed["scores"] == expected.scores
    assert summary["event"] == "summary"
    assert summary["samples_sent"] == summary["samples_received"] == len(recording)
    assert summary["samples_lost"] == 0
    assert summary["macro_f1"] >= 0.80
    assert 0 < summary["latency_ms_p50"] <= summary["latency_ms_p95"]


def test_demo_for_people_ends_with_its_summary(img2imu: Run) -> None:
    done = img2imu("demo", "--speed", 100)
    assert done.returncode == 0, done.stderr
    assert "macro-F1" in done.stdout
    assert "lost" in done.stdout


def test_classify_as_json_and_to_a_file(img2imu: Run, offline: list[i2e.Decision], tmp_path: Path) -> None:
    out = tmp_path / "decisions.jsonl"
    done = img2imu("classify", i2e.demo_recording(), "--model", "shoulder", "--json", "--out", out)
    assert done.returncode == 0, done.stderr
    assert done.stdout == out.read_text()
    printed = lines(done.stdout)
    assert [d["label"] for d in printed] == [d.label for d in offline]
    assert {"time", "label", "confidence", "coverage", "scores"} <= set(printed[-1])


def test_classify_for_people(img2imu: Run) -> None:
    done = img2imu("classify", i2e.demo_recording(), "--model", "shoulder")
    assert done.returncode == 0, done.stderr
    assert "macro-F1" in done.stdout


def test_classify_says_what_cannot_be_right(img2imu: Run, recording: i2e.Recording, tmp_path: Path) -> None:
    """Acceleration in g gives `unknown` and nothing else: the reason is told."""
    rows = zip(recording.times[:2000], recording.values[:2000, :3] / 9.80665, strict=True)
    lines = [f"{t:.2f},{x:.4f},{y:.4f},{z:.4f},0.1,0.1,0.1" for t, (x, y, z) in rows]
    header = "time,acc_x,acc_y,acc_z,gyr_x,gyr_y,gyr_z"
    (tmp_path / "g.csv").write_text("\n".join([header, *lines]))
    done = img2imu("classify", tmp_path / "g.csv", "--model", "shoulder")
    assert "it looks like g; multiply by 9.80665" in done.stdout


def test_run_as_json_with_a_file(img2imu: Run, offline: list[i2e.Decision], tmp_path: Path) -> None:
    out = tmp_path / "live.jsonl"
    url = f"replay:{i2e.demo_recording()}?speed=0"
    done = img2imu("run", url, "--model", "shoulder", "--json", "--out", out)
    assert done.returncode == 0, done.stderr
    assert [d["scores"] for d in lines(done.stdout)] == [d.scores for d in offline]
    assert out.read_text() == done.stdout


def test_lines_for_machines_are_utf_8_wherever_they_are_printed(
    img2imu: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    walk = tmp_path / "zurück.csv"
    walk.write_text(i2e.demo_recording().read_text()[:30_000])
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    done = img2imu("classify", walk, "--model", "shoulder", "--json", "--out", tmp_path / "out.jsonl")
    assert done.returncode == 0, done.stderr
    assert {line["source"] for line in lines(done.stdout)} == {"zurück"}
    assert (tmp_path / "out.jsonl").read_text(encoding="utf-8") == done.stdout


def test_what_goes_with_an_archive_only_is_told(img2imu: Run) -> None:
    done = img2imu("classify", i2e.demo_recording(), "--model", "shoulder", "--workers", 2)
    assert done.returncode == 2
    assert "it goes with --batch" in done.stderr


def test_info_tells_the_card(img2imu: Run, model: i2e.Model) -> None:
    done = img2imu("info", "shoulder", "--json")
    assert i2e.ModelCard.from_json(done.stdout) == model.card
    shown = img2imu("info", "shoulder")
    assert "abduction" in shown.stdout


def test_devices_lists_without_hardware(img2imu: Run) -> None:
    done = img2imu("devices", "--seconds", "0.5")
    assert done.returncode == 0, done.stderr
    assert "img2imu demo" in done.stdout


@pytest.mark.parametrize("command", ["", "demo", "run", "classify", "info", "devices", "bench"])
def test_help_teaches(command: str, img2imu: Run) -> None:
    done = img2imu(*command.split(), "--help")
    assert done.returncode == 0
    assert "Usage: img2imu" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("info", "nothing.onnx"), "there is no model file"),
        (("classify", "nothing.csv", "--model", "shoulder"), "No such file"),
        (("run", "serial:///dev/does-not-exist", "--model", "shoulder"), "does-not-exist"),
        (("run", "pigeon:", "--model", "shoulder"), "start the URL with one of"),
        (("run", "walk.csv", "--model", "shoulder"), "for a recording: replay:walk.csv"),
        (("doctor", "/dev/ttyUSB0"), "for a port: serial:///dev/ttyUSB0"),
        (("record", "ble://[x", "--subject", "ann"), "ble://[x is no URL"),
        (("run", "virtual:", "--model", "shoulder", "--out", "d.parquet"), "img2imu classify --batch"),
    ],
)
def test_errors_are_one_clear_line(arguments: tuple[str, ...], message: str, img2imu: Run) -> None:
    done = img2imu(*arguments)
    assert done.returncode == 1
    assert "error:" in done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_bench_measures_side_by_side(img2imu: Run) -> None:
    done = img2imu("bench", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    hop = result["hop_us"]
    assert set(hop) == {"front_end", "engine", "decision", "plain_front_end", "plain_engine"}
    assert all(np.isfinite(value) and value > 0 for value in hop.values())
    assert result["import_s"] > 0
    assert result["rss_mb"] > 0
    assert result["parse_samples_per_s"] > 0

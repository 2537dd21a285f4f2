"""`img2imu enroll`, run as its users do: guided, from a file, taken back, and without torch."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

import img2imu_edge as i2e
from img2imu_edge.cli.enroll import enroll
from img2imu_edge.enrol import personalise, read_profile

Run = Callable[..., "subprocess.CompletedProcess[str]"]
CHANNELS = ("acc_x", "acc_y", "acc_z", "gyr_x", "gyr_y", "gyr_z")

WITHOUT_TORCH = """
import sys

class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"torch", "scipy", "sklearn", "PIL", "onnx", "tensorflow"}:
            raise ImportError(f"{name} must not be needed")

sys.meta_path.insert(0, Block())
from img2imu_edge.cli.enroll import enroll
import typer
app = typer.Typer(pretty_exceptions_enable=False)
app.command()(enroll)
app()
"""


def write(path: Path, seconds: float, hertz: float, label: str | None = None) -> Path:
    """A hand that waves, 50 Hz; the first two seconds are not labelled."""
    rng, times = np.random.default_rng(0), np.arange(0, seconds, 0.02)
    swing = np.sin(2 * np.pi * hertz * times)
    clean = np.stack([6 * swing, 1 + 2 * swing, 9 + 0 * times, 0 * times, 0 * times, 4 * swing], axis=1)
    table = np.column_stack([times, clean + rng.normal(size=clean.shape) * np.repeat([0.3, 0.1], 3)])
    lines = [",".join(f"{value:.5f}" for value in row) for row in table]
    header = ",".join(("time", *CHANNELS))
    if label is not None:
        header += ",label"
        lines = [f"{line},{label if at >= 100 else ''}" for at, line in enumerate(lines)]
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


@pytest.fixture
def wave(tmp_path: Path) -> Path:
    return write(tmp_path / "wave.csv", 40.0, 2.0, "wave")


def labels(model: i2e.Model, recording: Path) -> set[str]:
    return {str(d.label) for d in i2e.classify_recording(recording, model) if d.label}


def test_run_and_classify_decide_with_what_was_enrolled(img2imu: Run, wave: Path, tmp_path: Path) -> None:
    profile = tmp_path / "p.json"
    assert img2imu("enroll", "--from", wave, "-l", "wave", "-m", "shoulder", "-p", profile).returncode == 0
    for command, source in (("run", f"replay:{wave}?speed=0"), ("classify", wave)):
        done = img2imu(command, source, "-m", "shoulder", "--enrolled", profile, "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout.splitlines()[-1])["label"] == "wave"
        other = img2imu(command, source, "-m", "shoulder-fp32", "--enrolled", profile, "--json")
        assert other.returncode == 1
        assert "another model file" in other.stderr


def test_from_a_recording_and_back(img2imu: Run, model: i2e.Model, wave: Path, tmp_path: Path) -> None:
    profile = tmp_path / "ann.json"
    place = ("--model", "shoulder", "--profile", profile)
    done = img2imu("enroll", "--from", wave, "--label", "wave", *place, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["event"], told["label"], told["new"], told["repeats"]) == ("enrolled", "wave", True, 5)
    assert told["recognised"] == 1.0
    assert labels(model, wave) == {"unknown"}
    assert labels(personalise(model, read_profile(profile, model)), wave) == {"wave"}
    kept = profile.read_bytes()
    demo = i2e.demo_recording()
    assert img2imu("enroll", "--from", demo, "--label", "pendulum", *place).returncode == 0
    listed = json.loads(img2imu("enroll", "--list", *place, "--json").stdout)
    assert [(c["label"], c["new"]) for c in listed["classes"]] == [("pendulum", False), ("wave", True)]
    shown = img2imu("enroll", "--list", *place).stdout
    assert "adapted" in shown
    assert "new" in shown
    assert img2imu("enroll", "--undo", *place).returncode == 0
    assert json.loads(profile.read_text())["classes"] == json.loads(kept)["classes"]
    again = img2imu("enroll", "--undo", *place)
    assert again.returncode == 1
    assert "nothing to undo" in again.stderr
    assert img2imu("enroll", "--remove", "wave", *place).returncode == 0
    assert read_profile(profile, model).classes == ()


@pytest.mark.timeout(60)
def test_guided_from_a_virtual_wearable(model: i2e.Model, wave: Path, tmp_path: Path) -> None:
    """On a terminal, from genuine bytes, some of them lost; the profile lies in the current folder."""
    ours, theirs = pty.openpty()
    command = [str(Path(sys.executable).with_name("img2imu")), "enroll"]
    command += [f"virtual:?recording={wave}&speed=20&loss=0.01", "--label", "wave", "--model", "shoulder"]
    environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": "80"}
    process = subprocess.Popen(
        [*command, "--repeats", "3"],
        cwd=tmp_path,
        stdout=theirs,
        stderr=theirs,
        stdin=theirs,
        env=environment,
    )
    os.close(theirs)
    screen, end = b"", time.monotonic() + 50
    while time.monotonic() < end:
        if not select.select([ours], [], [], 1)[0]:
            continue
        try:
            screen += os.read(ours, 65536)
        except OSError:  # it has ended
            break
    os.close(ours)
    assert process.wait(10) == 0, screen.decode()
    for shown in ("get ready", "now, until the bar is full", "wave, 3 of 3", "█", "learned from 3 repeats"):
        assert shown in screen.decode()
    profile = read_profile(tmp_path / "shoulder.enrolled.json", model)
    assert [each.label for each in profile.classes] == ["wave"]
    assert labels(personalise(model, profile), wave) == {"wave"}


def test_it_takes_no_torch(wave: Path, tmp_path: Path) -> None:
    profile = tmp_path / "p.json"
    line = ["--from", str(wave), "--label", "wave", "--model", "shoulder", "--profile", str(profile)]
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, *line], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert profile.is_file()


def test_a_source_that_ends_too_early_enrols_nothing(img2imu: Run, tmp_path: Path) -> None:
    short, profile = write(tmp_path / "short.csv", 12.0, 2.0), tmp_path / "p.json"
    done = img2imu("enroll", f"replay:{short}?speed=0", "-l", "wave", "-m", "shoulder", "--profile", profile)
    assert done.returncode == 1
    assert "ended before all repeats were done" in done.stderr
    assert not profile.exists()


def test_a_sensor_that_is_missing_is_told_before_anybody_moves(
    img2imu: Run, wave: Path, tmp_path: Path
) -> None:
    lines = [",".join(line.split(",")[:4]) for line in wave.read_text().splitlines()]
    bare = tmp_path / "bare.csv"
    bare.write_text("\n".join(lines) + "\n")
    done = img2imu("enroll", f"replay:{bare}?speed=1", "-l", "wave", "-m", "shoulder", timeout=20)
    assert done.returncode == 1
    assert "does not deliver gyr_x" in done.stderr
    assert "get ready" not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give a SOURCE"),
        (["--list", "--undo"], "give a SOURCE"),
        (["virtual:"], "--label my-gesture"),
        (["virtual:", "--label", "unknown"], "no label"),
        (["virtual:", "--label", "wave", "--seconds", "2"], "5 s at least"),
        (["--remove", "wave"], "make one with: img2imu enroll"),
        (["--from", "nowhere.csv", "--label", "wave"], "cannot read nowhere.csv"),
        (["--from", str(i2e.demo_recording()), "--label", "wave"], "no sample labelled 'wave'"),
    ],
)
def test_what_cannot_be_is_told(tmp_path: Path, arguments: list[str], message: str) -> None:
    app = typer.Typer()
    app.command()(enroll)
    place = ["--model", "shoulder", "--profile", str(tmp_path / "none.json")]
    error = CliRunner().invoke(app, [*arguments, *place]).exception
    assert isinstance(error, i2e.Img2ImuError)
    assert message in str(error)
    assert not list(tmp_path.iterdir())


def test_the_page_is_true(wave: Path, tmp_path: Path) -> None:
    """The snippets of docs/enrol.md run as they stand, in order."""
    page = (Path(__file__).parents[2] / "docs" / "enrol.md").read_text(encoding="utf-8")
    snippets = re.findall(r"^```(python|sh)\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    place = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "COLUMNS": "80"}
    wave.rename(tmp_path / "recording.csv")
    said = []
    for kind, text in snippets:
        command = {"python": [sys.executable, "-W", "error", "-c", text], "sh": ["sh", "-e", "-c", text]}[
            kind
        ]
        done = subprocess.run(
            command, cwd=tmp_path, env=os.environ | place, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{text}\n{done.stderr}"
        said.append(done.stdout)
    assert [kind for kind, _ in snippets] == ["sh", "sh", "python", "sh"]
    assert "\n".join(said[0].splitlines()[:2]) in page
    assert "wave  " in said[1]
    assert said[2].strip() == "wave"

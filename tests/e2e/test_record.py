"""`img2imu record`, run as its users do: in a terminal, without one, killed, and out of disk."""

from __future__ import annotations

import json
import os
import pty
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import img2imu_edge as i2e
from img2imu_edge.options import without_secrets

COMMAND = [sys.executable, "-c", "from img2imu_edge.cli import main; main()", "record"]
ENVIRONMENT = os.environ | {"TERM": "xterm-256color", "COLUMNS": "80", "OMP_NUM_THREADS": "1"}


def hear_ctrl_c() -> None:
    """In the new process: a shell mutes Ctrl+C for what it runs in the background, tests included."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def start(*arguments: str, **options: object) -> subprocess.Popen[str]:
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(
        [*COMMAND, *arguments],
        env=ENVIRONMENT,
        text=True,
        **{**pipes, "preexec_fn": hear_ctrl_c, **options},
    )


def wait_for(condition: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def has(path: Path, size: int) -> bool:
    return path.is_file() and path.stat().st_size > size


def test_what_is_recorded_is_what_the_device_sent(tmp_path: Path) -> None:
    url = "virtual:?speed=30&loss=0.05&seed=3&unplug_every_s=6&unplug_for_s=1"
    options = ["-l", "exercise", "-s", "ann", "-p", "left wrist", "-o", str(tmp_path / "data")]
    done = start(url, *options, "--countdown", "0", "--seconds", "20")
    out, err = done.communicate(timeout=60)
    assert done.returncode == 0, err
    assert "exercise 1" in out
    assert "lost on the way" in out
    recording = i2e.read_recording(tmp_path / "data" / "ann-001.csv")
    sent = i2e.read_recording(i2e.demo_recording())
    index = np.rint(recording.times * 50).astype(int)
    offset = int(np.flatnonzero((sent.values == recording.values[0]).all(axis=1))[0])
    assert np.array_equal(recording.values, sent.values[offset + index])
    assert recording.times[-1] < 20
    about = recording.about
    assert about["lost"] == index[-1] + 1 - len(recording) > 0
    assert about["ended_by"] == "the time is over"
    assert about["source"] == url
    assert np.diff(index).max() >= 40  # what it sampled while it was unplugged


def test_a_device_that_sends_g_is_noticed_and_not_put_right(tmp_path: Path) -> None:
    tape = tmp_path / "tape.csv"
    rows = [f"{k * 0.02:.2f},{0.01 * (k % 3)},0,1" for k in range(500)]
    tape.write_text("\n".join(["time,acc_x,acc_y,acc_z", *rows]))
    done = start(f"virtual:?speed=max&recording={tape}", "-s", "ann", "-o", str(tmp_path), "--countdown", "0")
    out, err = done.communicate(timeout=60)
    assert done.returncode == 0, err
    recording = i2e.read_recording(tmp_path / "ann-001.csv")
    assert recording.values[:, 2].tolist() == [1.0] * 500
    assert " g" in str(recording.about["warnings"])
    assert " g" in out


def test_killed_without_warning_all_but_the_last_second_is_there(tmp_path: Path) -> None:
    path = tmp_path / "ann-001.csv"
    recorder = start("virtual:", "-l", "walk", "-s", "ann", "-o", str(tmp_path), "--countdown", "0")
    try:
        wait_for(path.is_file)
        begin = time.monotonic()
        time.sleep(2.5)
        os.kill(recorder.pid, signal.SIGKILL)
        seconds = time.monotonic() - begin
    finally:
        recorder.kill()
        recorder.communicate()
    recording = i2e.read_recording(path)
    assert recording.times[-1] > seconds - 1
    assert recording.about["complete"] is False
    assert recording.about["subject"] == "ann"
    assert recording.labels is not None
    assert set(recording.labels) == {"walk"}


def test_keys_choose_labels_and_q_stops(tmp_path: Path) -> None:
    master, slave = pty.openpty()
    recorder = start(
        *(
            "virtual:?batch=2",
            "-l",
            "walk",
            "-l",
            "run",
            "-s",
            "ann",
            "-o",
            str(tmp_path),
            "--countdown",
            "0",
        ),
        stdin=slave,
    )
    os.close(slave)
    wait_for(lambda: has(tmp_path / "ann-001.csv", 1500))
    for key in (b"2", b"\x1b[1~", b"7", b"1", b" "):  # also a function key, and a key without a label
        os.write(master, key)
        time.sleep(0.45)
    os.write(master, b"q")
    out, err = recorder.communicate(timeout=20)
    os.close(master)
    assert recorder.returncode == 0, err
    recording = i2e.read_recording(tmp_path / "ann-001.csv")
    assert recording.labels is not None
    changes = np.flatnonzero(recording.labels[1:] != recording.labels[:-1]) + 1
    assert ["", *recording.labels[changes]] == ["", "run", "walk", ""]
    held = np.diff(recording.times[changes])
    assert held == pytest.approx([1.35, 0.45], abs=0.3)
    assert recording.about["ended_by"] == "q"
    assert "run" in out


def test_without_a_label_nothing_can_be_trained(tmp_path: Path) -> None:
    recorder = start(
        "virtual:?speed=20", "-s", "ann", "-o", str(tmp_path), "--countdown", "0", "--seconds", "5"
    )
    out, err = recorder.communicate(timeout=60)
    assert recorder.returncode == 0, err
    assert "no label" in out
    assert "finetune" not in out


@pytest.mark.parametrize(
    ("number", "name"), [(signal.SIGINT, "Ctrl+C"), (signal.SIGTERM, "SIGTERM"), (signal.SIGHUP, "SIGHUP")]
)
def test_stopped_from_outside_the_recording_is_complete(
    tmp_path: Path, number: signal.Signals, name: str
) -> None:
    recorder = start("virtual:", "-l", "walk", "-s", "ann", "-o", str(tmp_path), "--countdown", "0")
    wait_for(lambda: has(tmp_path / "ann-001.csv", 1500))
    recorder.send_signal(number)
    out, err = recorder.communicate(timeout=20)
    assert recorder.returncode == 0, err
    about = json.loads((tmp_path / "ann-001.json").read_text())
    assert (about["complete"], about["ended_by"]) == (True, name)
    assert "img2imu finetune" in out


def test_a_full_disk_is_said_and_costs_nothing_that_was_there(tmp_path: Path) -> None:
    recorder = start(
        *("virtual:?speed=max", "-l", "walk", "-s", "ann", "-o", str(tmp_path), "--countdown", "0"),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000)),
    )
    _, err = recorder.communicate(timeout=60)
    recording = i2e.read_recording(tmp_path / "ann-001.csv")
    assert recorder.returncode == 1
    assert f"The {len(recording)} samples before" in err
    assert "Traceback" not in err
    assert len(recording) > 300


@pytest.mark.parametrize(
    ("options", "match"),
    [
        (["-l", "walk", "-l", "run"], "there is no keyboard here"),
        (["-l", "walk", "-l", "walk"], "given twice"),
        (["-l", "a\nb"], "a word or two"),
    ],
)
def test_what_cannot_be_recorded_is_said_before(tmp_path: Path, options: list[str], match: str) -> None:
    done = start("virtual:", "-s", "ann", "-o", str(tmp_path / "data"), *options)
    _, err = done.communicate(timeout=30)
    assert done.returncode == 1
    assert match in err
    assert not (tmp_path / "data").exists()


def test_no_token_is_written_down() -> None:
    url = "sensorlogger:?host=0.0.0.0&token=secret&port=1&Access_Key=secret"
    assert without_secrets(url) == "sensorlogger:?host=0.0.0.0&token=…&port=1&Access_Key=…"
    assert without_secrets("x:?password=secret") == "x:?password=…"
    assert without_secrets("serial:///dev/ttyUSB0") == "serial:///dev/ttyUSB0"

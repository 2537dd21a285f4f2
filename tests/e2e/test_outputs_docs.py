"""`docs/outputs.md` is true: its snippets run as they stand, but for ports, and its tables are complete."""

from __future__ import annotations

import csv
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

import img2imu_edge as i2e
from img2imu_edge.sinks.serving import server_tls
from tests.e2e.test_outputs_mqtt import MOSQUITTO, Broker, Reader, wait_for

PAGE = (Path(__file__).parents[2] / "docs" / "outputs.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"^```(python|sh)\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
PLACE = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "COLUMNS": "80"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copy(i2e.demo_recording(), tmp_path / "walk.csv")
    return tmp_path


def run(number: int, folder: Path, **changes: str) -> str:
    kind, text = SNIPPETS[number]
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    command = {"python": [sys.executable, "-W", "error", "-c", text], "sh": ["sh", "-e", "-c", text]}[kind]
    done = subprocess.run(
        command, cwd=folder, env=os.environ | PLACE, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_the_page_has_the_snippets_that_are_run_here() -> None:
    assert [kind for kind, _ in SNIPPETS] == ["sh", "sh", "python", "sh", "python"]


def test_files(folder: Path) -> None:
    run(0, folder)
    rows = list(csv.DictReader((folder / "decisions.csv").read_text().splitlines()))
    assert len(rows) == len((folder / "decisions.jsonl").read_text().splitlines()) > 300


@pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed")
def test_mqtt(folder: Path) -> None:
    broker = Broker(folder, "allow_anonymous true")
    broker.start()
    reader = Reader(broker)
    try:
        run(1, folder, **{"//localhost/": f"//localhost:{broker.port}/"})
        wait_for(lambda: ("gym/wrist/status", "offline") in reader.got)
    finally:
        reader.close()
        broker.stop()
    topics = {topic for topic, _ in reader.got if topic.startswith("gym/")}
    named = set(re.findall(r"^\| `(gym/wrist/\S+)`", PAGE, re.MULTILINE))
    assert topics == {name.replace("SOURCE", "walk") for name in named} - {"gym/wrist/walk/event"}


def test_websocket_and_prometheus(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        ports = one.getsockname()[1], two.getsockname()[1]
    command = [
        "img2imu", "run", "replay:walk.csv?speed=8", "--model", "shoulder", "--json",
        "--out", f"ws://127.0.0.1:{ports[0]}", "--out", f"prometheus://127.0.0.1:{ports[1]}",
    ]  # fmt: skip
    environment = os.environ | PLACE
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            assert "warming_up" in process.stdout.readline()
            lines = run(2, folder, **{"8766": str(ports[0])}).splitlines()
            with urllib.request.urlopen(f"http://127.0.0.1:{ports[1]}/metrics", timeout=5) as answer:
                metrics = answer.read().decode()
        finally:
            process.terminate()
    assert len(lines) == 3
    assert any(re.match(r"20\d\d-.* \w+ [01]\.\d", line) for line in lines)
    named = set(re.findall(r"`(img2imu_\w+)`", PAGE))
    shown = {name.removesuffix("_created") for name in re.findall(r"^# TYPE (\w+)", metrics, re.MULTILINE)}
    assert named == {name for name in shown if f"{name}_total" not in named}


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_a_certificate_of_ones_own_serves(folder: Path) -> None:
    run(3, folder)
    assert server_tls(str(folder / "pi.pem"), str(folder / "pi.key")) is not None
    assert ssl.create_default_context(cafile=folder / "pi.pem").get_ca_certs()


def test_an_output_of_ones_own(folder: Path) -> None:
    lines = run(4, folder).splitlines()
    assert len(lines) >= 7
    assert all(re.fullmatch(r"\d+ s: \w+", line) for line in lines)

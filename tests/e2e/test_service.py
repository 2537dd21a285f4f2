"""As systemd runs it: what it is told, how it is stopped, and whether its unit file holds."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

DEPLOY = Path(__file__).parents[2] / "deploy"
COMMAND = Path(sys.executable).with_name("img2imu")

if not hasattr(socket, "AF_UNIX") or sys.platform == "win32":
    pytest.skip("systemd is Linux's", allow_module_level=True)


def test_systemd_is_told_of_readiness_life_and_the_end(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(60)
        environment = os.environ | {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "400000"}
        line = [COMMAND, "run", "virtual:", "--model", "shoulder", "--out", tmp_path / "decisions.jsonl"]
        with subprocess.Popen(line, env=environment, stdout=subprocess.DEVNULL) as process:
            told = [systemd.recv(100).decode() for _ in range(4)]
            while not (tmp_path / "decisions.jsonl").read_text():
                time.sleep(0.1)
            process.send_signal(signal.SIGTERM)
            while told[-1] != "STOPPING=1":
                told.append(systemd.recv(100).decode())
            assert process.wait(timeout=30) == 0
    assert told[0] == "READY=1"
    assert set(told[1:-1]) == {"WATCHDOG=1"}
    lines = (tmp_path / "decisions.jsonl").read_text().splitlines()
    assert lines[-1].endswith("}")


def test_the_unit_file_holds(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    unit = (DEPLOY / "img2imu.service").read_text(encoding="utf-8")
    installed = tmp_path / "img2imu.service"
    installed.write_text(unit.replace("/opt/img2imu/bin/img2imu", str(COMMAND)))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", installed], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    settings = dict(
        line.split("=", 1) for line in (DEPLOY / "img2imu.conf").read_text().splitlines() if "=" in line
    )
    assert set(settings) == {"SOURCES", "MODEL", "OPTIONS"}
    assert all(f"${name}" in unit or f"${{{name}}}" in unit for name in settings)

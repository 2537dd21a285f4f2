"""What people install: the wheel in an environment of its own, without torch."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DATA = (
    "img2imu_edge/models/shoulder.onnx",
    "img2imu_edge/models/shoulder.tflite",
    "img2imu_edge/recordings/shoulder.csv",
    "img2imu_edge/dashboard/page.html",
    "img2imu_edge/dashboard/page.css",
    "img2imu_edge/dashboard/card.js",
    "img2imu_bridge/profiles/devices/infinitime.toml",
    "img2imu_bridge/profiles/bangle.js",
    "img2imu_training/weights/tiny.safetensors",
    "img2imu_export/phone/android/",
)
"""Files that are no Python, and that something needs."""


def pip(*arguments: object) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--quiet", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"pip cannot do it here: {done.stderr.strip().splitlines()[-1]}")


@pytest.mark.timeout(400)
def test_shipped_models_prove_themselves_in_a_clean_environment(tmp_path: Path) -> None:
    pip("wheel", "--no-deps", "--wheel-dir", tmp_path, ROOT)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert [path for path in DATA if not any(name.startswith(path) for name in names)] == []
    clean = tmp_path / "clean"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", clean], check=True)
    python = clean / "bin" / "python"
    pip("--python", python, "install", wheel)

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [clean / "bin" / "img2imu", *arguments], capture_output=True, text=True, check=False, cwd=tmp_path
        )

    assert subprocess.run([python, "-c", "import torch"], capture_output=True, check=False).returncode
    verified = run("verify", "--json")
    assert verified.returncode == 0, verified.stderr
    said = [json.loads(line) for line in verified.stdout.splitlines()]
    assert "shoulder.onnx" in verified.stdout
    assert said
    demo = run("demo", "--speed", "100", "--json")
    assert demo.returncode == 0, demo.stderr
    refused = run("finetune", "nowhere")
    assert refused.returncode == 1
    assert "pip install 'img2imu-edge[train]'" in refused.stderr

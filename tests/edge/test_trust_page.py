"""The page on trust is true: its snippets run as they stand, in order, on genuine files called `walk`."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import img2imu_edge as i2e

PAGE = Path(__file__).parents[2] / "docs" / "trust.md"
SNIPPET = re.compile(r"^```(python|sh)\n(.*?)^```", re.DOTALL | re.MULTILINE)


def test_the_snippets_run(tmp_path: Path, model: i2e.Model) -> None:
    for ending in (".onnx", ".tflite"):
        shutil.copy(model.path.with_suffix(ending), tmp_path / f"walk{ending}")
    shutil.copy(i2e.demo_recording(), tmp_path / "walk.csv")
    place = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    said = []
    for kind, text in SNIPPET.findall(PAGE.read_text(encoding="utf-8")):
        line = [sys.executable, "-c", text] if kind == "python" else ["sh", "-e", "-c", text]
        done = subprocess.run(line, cwd=tmp_path, env=place, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
        said.append(done.stdout)
    verified, signed, python = said
    assert verified.count("3 of 3 alike") == 2
    assert "signed with the trusted key" in signed
    assert python == ""

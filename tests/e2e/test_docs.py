"""The pages in `docs/` are true: their Python and shell snippets run as they stand, in order."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from img2imu_edge.recording import read_recording

DOCS = Path(__file__).parents[2] / "docs"
SNIPPET = re.compile(r"^```(python|sh)\n(.*?)^```", re.DOTALL | re.MULTILINE)
PLACE = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "COLUMNS": "80"}


def run(kind: str, text: str, folder: Path) -> str:
    """Run a snippet; a shell's lines stop at the first that fails."""
    command = {"python": [sys.executable, "-W", "error", "-c", text], "sh": ["sh", "-e", "-c", text]}[kind]
    done = subprocess.run(
        command, cwd=folder, env=os.environ | PLACE, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.timeout(240)
def test_the_page_on_own_activities_leads_from_recordings_to_decisions(tmp_path: Path) -> None:
    snippets = SNIPPET.findall((DOCS / "finetune.md").read_text(encoding="utf-8"))
    said = [run(kind, text, tmp_path) for kind, text in snippets]
    assert [kind for kind, _ in snippets] == ["python", "sh", "sh", "sh"]
    assert "macro-F1" in said[1]
    assert "exercises.onnx" in said[2]
    assert "bent_over_row" in said[3]
    for name in ("exercises.html", "models/exercises.onnx"):
        assert (tmp_path / name).stat().st_size > 10_000


@pytest.mark.timeout(240)
def test_the_page_on_recording_leads_from_a_watch_to_a_model_that_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    snippets = SNIPPET.findall((DOCS / "record.md").read_text(encoding="utf-8"))
    said = [run(kind, text, tmp_path) for kind, text in snippets]
    assert [kind for kind, _ in snippets] == ["sh", "python", "sh", "sh", "sh", "sh"]
    assert "witmotion_serial" in said[0]
    recorded = sorted(path.name for path in (tmp_path / "data").iterdir())
    assert recorded == [
        f"{who}-00{n}.{kind}" for who in ("ann", "bob") for n in (1, 2, 3) for kind in ("csv", "json")
    ]
    for path in (tmp_path / "data").glob("*.csv"):
        number = int(path.stem[-1]) - 1
        exercise = ("pendulum", "abduction", "bent_over_row")[number]
        played = read_recording(tmp_path / "tapes" / f"{path.stem[:3]}-{exercise}.csv")
        kept = read_recording(path)
        assert (kept.values == played.values).all()
        assert kept.labels is not None
        assert set(kept.labels) == {exercise}
        assert kept.about["subject"] == path.stem[:3]
    assert "macro-F1" in said[3]
    assert "exercises.onnx  ok" in said[4]
    assert "received 600   lost 0" in said[5]


@pytest.mark.timeout(400)
def test_the_page_on_exports_makes_the_files_that_it_tells_of(tmp_path: Path) -> None:
    weights = DOCS.parent / "training" / "weights" / "shoulder.safetensors"
    (tmp_path / weights.name).write_bytes(weights.read_bytes())
    snippets = SNIPPET.findall((DOCS / "export.md").read_text(encoding="utf-8"))
    said = [run(kind, text, tmp_path) for kind, text in snippets]
    assert len(said) == 3
    assert "decision" in said[0]
    for name in ("models/shoulder.h", "models/shoulder-fp16.onnx", "export.html"):
        assert (tmp_path / name).stat().st_size > 4000


def test_links_lead_somewhere() -> None:
    for page in DOCS.glob("*.md"):
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"

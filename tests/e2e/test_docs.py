"""The pages in `docs/` are true: their Python and shell snippets run as they stand, in order."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

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


def test_links_lead_somewhere() -> None:
    for page in DOCS.glob("*.md"):
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"

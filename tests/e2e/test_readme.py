"""The README's snippets run as they stand."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "README.md"
SNIPPETS = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
TARGETS = re.findall(r"^make (\w+)", README.read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("number", range(len(SNIPPETS)))
def test_python_snippets_run(number: int) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SNIPPETS[number]], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "%" in done.stdout or "abduction" in done.stdout


def test_the_commands_exist() -> None:
    makefile = README.with_name("Makefile").read_text(encoding="utf-8")
    assert TARGETS == ["demo", "docs", "test"]
    assert all(f"\n{target}:" in makefile for target in TARGETS)

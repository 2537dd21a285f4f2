"""Commands of other packages: functions and groups, found by entry points."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path

import pytest
from typer.testing import CliRunner

from img2imu_edge.cli import make_app

CODE = '''
import typer

def single(number: int) -> None:
    """Double a number."""
    print(2 * number)

group = typer.Typer()

@group.command("one")
def one(number: int) -> None:
    """Negate a number."""
    print(-number)

@group.command("two")
def two() -> None:
    """Greet."""
    print("hello")
'''


@pytest.fixture
def _installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package with two entry points, as pip leaves it."""
    (tmp_path / "gadgets_of_others.py").write_text(CODE)
    about = tmp_path / "gadgets_of_others-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: gadgets-of-others\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(
        "[img2imu.commands]\nsingle = gadgets_of_others:single\ngrouped = gadgets_of_others:group\n"
    )
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.usefixtures("_installed")
@pytest.mark.parametrize(
    ("line", "printed"),
    [("single 4", "8"), ("grouped one 4", "-4"), ("grouped two", "hello")],
)
def test_functions_and_groups_are_commands(line: str, printed: str) -> None:
    done = CliRunner().invoke(make_app(), line.split())
    assert done.exit_code == 0, done.output
    assert done.stdout.strip() == printed


@pytest.mark.usefixtures("_installed")
def test_a_group_is_in_the_help() -> None:
    done = CliRunner().invoke(make_app(), ["--help"])
    assert "grouped" in done.stdout
    assert "single" in done.stdout
    assert "demo" in done.stdout


@pytest.mark.parametrize("name", sorted(entry.name for entry in entry_points(group="img2imu.commands")))
def test_help_names_the_extra_that_a_command_needs(name: str) -> None:
    """An extra's brackets are markup to the help's renderer, which swallows them unless they are escaped."""
    done = CliRunner().invoke(make_app(), [name, "--help"])
    assert done.exit_code == 0, done.output
    assert "pip install 'img2imu-edge'" not in done.stdout

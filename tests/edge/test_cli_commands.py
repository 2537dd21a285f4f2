"""Commands of other packages: functions and groups, found by entry points."""

from __future__ import annotations

import inspect
from importlib.metadata import EntryPoint, entry_points, version
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from img2imu_edge.cli import make_app
from img2imu_edge.recording import demo_recording
from tests.conftest import Run

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


@pytest.mark.parametrize("entry", entry_points(group="img2imu.commands"), ids=lambda entry: entry.name)
def test_help_keeps_its_lines_on_80_columns(entry: EntryPoint) -> None:
    """Typer keeps the ends of lines: longer ones leave a word or two on a line of their own."""
    loaded = entry.load()
    grouped = isinstance(loaded, typer.Typer)
    commands = [each.callback for each in loaded.registered_commands] if grouped else [loaded]
    for command in commands:
        paragraphs = (inspect.getdoc(command) or "").splitlines()[1:]
        assert [line for line in paragraphs if len(line) > 78] == []


def test_what_a_terminal_cannot_write_stops_nothing(img2imu: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    done = img2imu("classify", demo_recording(), "--model", "shoulder", "--why", 30)
    assert done.returncode == 0, done.stderr
    assert "acc_x" in done.stdout


def test_it_says_its_version() -> None:
    done = CliRunner().invoke(make_app(), ["--version"])
    assert done.exit_code == 0, done.output
    assert done.stdout.strip() == f"img2imu-edge {version('img2imu-edge')}"

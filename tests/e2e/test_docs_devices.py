"""The page on devices is true: its files are profiles, its snippets run, and it leaves no profile out."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from img2imu_bridge.profiles import metamotion, movesense, xsens_dot
from img2imu_bridge.profiles.registry import profiles
from img2imu_bridge.profiles.tabled import TableProfile

PAGE = (Path(__file__).parents[2] / "docs" / "devices.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(python|toml|sh)\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def run(kind: str, text: str, folder: Path) -> str:
    command = {"python": [sys.executable, "-W", "error", "-c", text], "sh": ["sh", "-e", "-c", text]}[kind]
    place = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(folder),
        "COLUMNS": "120",
    }
    done = subprocess.run(
        command, cwd=folder, env=os.environ | place, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The file and the installed package of the page."""
    toml = [text for kind, text in BLOCKS if kind == "toml"]
    (tmp_path / "mywatch.toml").write_text(toml[0], encoding="utf-8")
    module = next(text for kind, text in BLOCKS if kind == "python" and "class MyBandDecoder" in text)
    (tmp_path / "my_band.py").write_text(module, encoding="utf-8")
    project = tomllib.loads(toml[1])["project"]
    info = tmp_path / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    lines = [
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in entries.items())
        for group, entries in project["entry-points"].items()
    ]
    (info / "entry_points.txt").write_text("\n".join(lines))
    return tmp_path


def test_the_page_leads_to_a_profile_of_ones_own(folder: Path) -> None:
    said = [run(kind, text, folder) for kind, text in BLOCKS if kind != "toml"]
    assert [kind for kind, _ in BLOCKS] == ["toml", "python", "sh", "toml", "python", "python"]
    tried, listed = said[0], said[1]
    expected = re.findall(r"# (.*)$", BLOCKS[1][1], re.MULTILINE)
    assert tried.splitlines() == [f"it is told {expected[0]}", expected[1]]
    assert "My watch" in listed
    assert "0 decoders hold too much" in listed


def test_the_file_and_the_package_are_listed(folder: Path) -> None:
    said = run("sh", "IMG2IMU_PROFILES=. img2imu devices --profiles --json", folder)
    names = {json.loads(line)["name"] for line in said.splitlines()}
    assert {"mywatch", "my_band", "polar", "infinitime"} <= names


def table() -> dict[str, str]:
    """The rows of the table of devices."""
    rows = re.findall(r"^\| `(\w+)` \| .*$", PAGE, re.MULTILINE)
    return {
        name: next(line for line in PAGE.splitlines() if line.startswith(f"| `{name}` |")) for name in rows
    }


def test_no_profile_is_left_out() -> None:
    missing = set(profiles()) - set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE))
    assert not missing


def test_rates_of_the_table_are_those_of_the_profiles() -> None:
    for name, profile in profiles().items():
        if isinstance(profile, TableProfile) and profile.rates:
            told = ", ".join(f"{rate:g}" for rate in profile.rates)
            usual = next(iter(profile.table.stream.values())).rate
            assert f"| {told} ({usual:g}) |" in table()[name]
    for name, rates in (
        ("movesense", movesense.RATES),
        ("metamotion", metamotion.RATES),
        ("xsens_dot", xsens_dot.RATES),
    ):
        assert f"| {', '.join(f'{rate:g}' for rate in rates)} (" in table()[name]

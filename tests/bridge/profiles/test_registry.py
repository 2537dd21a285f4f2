"""Profiles from packages and from folders."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from img2imu_bridge.profiles import Advertisement
from img2imu_bridge.profiles.registry import FOLDER, _entries, find_profile, profiles, recognise

from img2imu_edge.errors import SourceError

TABLE = """
name = "{name}"
title = "{title}"
checked = "never"
source = "me"
[recognise]
names = ["Polar H10*"]
[stream.acc]
characteristic = "ff02"
layout = "acc_x:i16"
rate = 50.0
scales.acc = {{ unit = "g" }}
"""


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """A registry that was never asked, before and after."""
    for known in (profiles, _entries):
        known.cache_clear()
    yield
    for known in (profiles, _entries):
        known.cache_clear()


def install(folder: Path, module: str, text: str) -> None:
    """A package with a profile, as pip leaves it."""
    (folder / f"{module}.py").write_text(text)
    info = folder / f"{module}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[img2imu.profiles]\n{module} = {module}:PROFILE\n")


def test_a_users_own_file_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.toml").write_text(TABLE.format(name="own", title="Own"))
    (tmp_path / "b.toml").write_text(TABLE.format(name="infinitime", title="Other"))
    monkeypatch.setenv(FOLDER, str(tmp_path))
    found = recognise(Advertisement("", "Polar H10 1234"))
    assert found is not None
    assert found.name == "infinitime"
    assert find_profile("infinitime").title == "Other"
    assert list(profiles())[-2:] == ["own", "infinitime"]


def test_a_packages_profile_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "from img2imu_bridge.profiles.movesense import PROFILE as M\nfrom dataclasses import replace\n"
    install(tmp_path, "third_party_band", text + "PROFILE = replace(M, name='third_party_band')\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert find_profile("third_party_band").title == "Movesense"


def test_a_broken_package_costs_only_its_own_profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "broken_band", "import nowhere_to_be_found\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert "polar" in profiles()
    with pytest.raises(SourceError, match=r"nowhere_to_be_found.*update or uninstall broken_band"):
        find_profile("broken_band")


def test_unknown_names_are_told_with_known_ones() -> None:
    with pytest.raises(SourceError, match=r"no profile is called 'polr'; there are: .*polar"):
        find_profile("polr")


def test_a_broken_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.toml").write_text("name = 1")
    monkeypatch.setenv(FOLDER, str(tmp_path))
    with pytest.raises(SourceError, match=r"a\.toml is no device profile"):
        profiles()
    (tmp_path / "b.toml").write_text(TABLE.format(name="b", title="B"))
    assert find_profile(str(tmp_path / "b.toml")).title == "B"

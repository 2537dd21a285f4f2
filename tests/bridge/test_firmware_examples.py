"""The examples compile, as far as that can be told without their platforms; the library is small on an ARM.

The platforms' headers are stubs here, written after the genuine ones: what is checked is syntax, and that our
own library is used as it is.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

FIRMWARE = Path(__file__).parents[2] / "firmware_bridge" / "firmware"
STUBS = Path(__file__).parent / "firmware_stubs"
SKETCHES = sorted(FIRMWARE.glob("examples/*/*.ino"))
ARM = shutil.which("arm-none-eabi-gcc")

if shutil.which("cc"):
    COMPILER = ["cc"]
elif find_spec("ziglang"):
    COMPILER = [sys.executable, "-m", "ziglang", "cc"]
else:
    pytest.skip("there is no C compiler", allow_module_level=True)


def check(*arguments: object) -> None:
    paths = (f"-I{STUBS}", f"-I{FIRMWARE / 'src'}")
    line = [*COMPILER, "-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter", *paths]
    done = subprocess.run([*line, *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("sketch", SKETCHES, ids=lambda path: path.stem)
@pytest.mark.parametrize("over_ble", [0, 1])
def test_sketches(sketch: Path, over_ble: int) -> None:
    if not over_ble and "OVER_BLE" not in sketch.read_text():
        pytest.skip("has one link only")
    check("-std=c++17", "-include", STUBS / "Arduino.h", f"-DOVER_BLE={over_ble}", "-x", "c++", sketch)


def test_zephyr() -> None:
    check("-std=gnu11", FIRMWARE / "examples" / "zephyr" / "src" / "main.c")


def test_there_are_sketches_where_their_ide_looks_for_them() -> None:
    assert {sketch.stem for sketch in SKETCHES} == {"Nano33BLE", "XiaoSense", "ESP32"}
    assert all(sketch.parent.name == sketch.stem for sketch in SKETCHES)


def test_manifests_agree() -> None:
    arduino = dict(
        line.split("=", 1) for line in (FIRMWARE / "library.properties").read_text().splitlines() if line
    )
    platformio = json.loads((FIRMWARE / "library.json").read_text())
    assert platformio["version"] == arduino["version"]
    assert platformio["headers"] == [arduino["includes"]]
    assert (FIRMWARE / "src" / arduino["includes"]).is_file()
    for source in re.findall(r"src/\w+\.c", (FIRMWARE / "CMakeLists.txt").read_text()):
        assert (FIRMWARE / source).is_file()


@pytest.mark.skipif(
    ARM is None or shutil.which("make") is None,
    reason="no make or arm-none-eabi-gcc: apt install make gcc-arm-none-eabi",
)
def test_it_is_small_on_a_cortex_m4(tmp_path: Path) -> None:
    make = ["make", "-s", "-C", str(FIRMWARE), "size", f"BUILD={tmp_path}"]
    done = subprocess.run(make, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    code, state = map(int, re.findall(r"(\d+) B", done.stdout.splitlines()[-1]))
    told = re.search(r"([\d.]+) kB of code and (\d+)\s+bytes of state", (FIRMWARE / "README.md").read_text())
    assert told is not None
    assert code == pytest.approx(1000 * float(told[1]), rel=0.15)  # compilers differ
    assert state == int(told[2])
    assert (code, state) < (4096, 1024)
    small = subprocess.run([*make, "TEXT_LIMIT=1000"], capture_output=True, text=True, check=False)
    assert small.returncode != 0
    assert "too large" in small.stdout

"""A picture in the terminal: every cell in its place and colour, and no frame without something new."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from rich.segment import Segment

import img2imu_edge as i2e
from img2imu_edge.cli.blocks import HalfBlocks


@pytest.mark.parametrize("rows", [1, 4, 5])
def test_every_cell_is_in_its_place(rows: int) -> None:
    picture = np.random.default_rng(rows).random((3, rows, 7), np.float32) * 1.2 - 0.1
    console = Console(color_system="truecolor", force_terminal=True)
    lines = list(Segment.split_lines(console.render(HalfBlocks(picture))))
    drawn = np.array(
        [
            [[cell.style.color.triplet, cell.style.bgcolor.triplet] for cell in line]  # type: ignore[union-attr]
            for line in lines
        ]
    )
    cells = drawn.transpose(0, 2, 1, 3).reshape(-1, 7, 3)[:rows]
    assert np.array_equal(cells[::-1], (np.clip(picture, 0, 1) * 255).astype(int).transpose(1, 2, 0))
    assert {cell.text for line in lines for cell in line} == {"▀"}
    assert console.measure(HalfBlocks(picture)).minimum == 7


def test_the_screen_is_drawn_when_there_is_something_new(tmp_path: Path) -> None:
    lines = i2e.demo_recording().read_text().splitlines(keepends=True)
    (tmp_path / "short.csv").write_text("".join(lines[:500]))
    out = tmp_path / "out.jsonl"
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 180, 0, 0))
    command = ["run", f"replay:{tmp_path}/short.csv?speed=3", "--model", "shoulder", "--out", str(out)]
    program = [sys.executable, "-c", "from img2imu_edge.cli import main; main()", *command]
    with subprocess.Popen(program, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        shown = b""
        while part := _read(ours):
            shown += part
    os.close(ours)
    assert process.returncode == 0
    decisions = len(out.read_text().splitlines())
    frames = shown.count(b"reconnects")
    assert decisions // 2 <= frames <= decisions + 3  # the last one stays; a slow machine leaves some out
    assert b"9.5 s" in shown[-20_000:]  # and it is of the last decision


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 1 << 16)
    except OSError:  # as Linux tells that nobody is left at the other end
        return b""

"""What is written is what is read, whatever ends the writing."""

from __future__ import annotations

import itertools
import json
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from img2imu_edge.errors import RecordingError
from img2imu_edge.labelling import Labelling
from img2imu_edge.recording import read_recording
from img2imu_edge.recording_writer import RecordingWriter, create_recording
from img2imu_edge.samples import ACCELEROMETER, SampleBlock

ABOUT = {"subject": "ann", "placement": "left wrist", "rate": 50.0}


def block(first: int, count: int, lost: int = 0) -> SampleBlock:
    values = np.arange(first, first + count, dtype=np.float32)[:, None] * np.float32([0.1, 1, -1])
    return SampleBlock(7.0 + np.arange(first, first + count) * 0.02, values, ACCELEROMETER, lost)


@given(
    values=hnp.arrays(np.float32, (20, 3), elements=st.floats(width=32, allow_nan=True, allow_infinity=True)),
    cuts=st.lists(st.integers(0, 20), max_size=4),
    label=st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters="\0"), max_size=8),
)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_written_is_read_to_the_last_bit(
    values: np.ndarray, cuts: list[int], label: str, tmp_path: Path
) -> None:
    values[[0, -1]] = 1.0  # a recording needs two rows
    with create_recording(tmp_path, "any", ACCELEROMETER, ABOUT) as writer:
        edges = sorted({0, 20, *cuts})
        for begin, end in itertools.pairwise(edges):
            part = slice(begin, end)
            times = 1e9 + np.arange(20)[part] * 0.02
            writer.write(SampleBlock(times, values[part], ACCELEROMETER), [label] * (end - begin))
    recording = read_recording(writer.path)
    finite = np.isfinite(values).all(axis=1)
    assert np.array_equal(recording.values, values[finite])
    assert np.allclose(recording.times, np.arange(20)[finite] * 0.02, atol=1e-6)
    assert recording.labels is not None
    assert set(recording.labels) == {label}
    assert recording.dropped == 20 - finite.sum()


def test_gaps_stay_gaps_and_the_side_car_tells_the_rest(tmp_path: Path) -> None:
    with create_recording(tmp_path / "new", "s/1 ü", ACCELEROMETER, ABOUT) as writer:
        assert json.loads(writer.path.with_suffix(".json").read_text())["complete"] is False
        writer.write(block(0, 10), ["walk"] * 10)
        writer.write(block(60, 10, lost=50), ["walk"] * 5 + [""] * 5)
        writer.write(block(65, 6), ["rest"] * 6)  # all but one are repeats
        writer.close({"lost": 50})
    recording = read_recording(tmp_path / "new" / "s_1_ü-001.csv")
    assert np.diff(recording.times)[9] == pytest.approx(51 * 0.02)
    assert (len(recording), writer.skipped) == (21, 5)
    about = recording.about
    assert (about["subject"], about["placement"], about["complete"]) == ("ann", "left wrist", True)
    assert (about["lost"], about["samples"], about["seconds"]) == (50, 21, 1.4)
    assert about["labels"] == {"walk": 15, "": 5, "rest": 1}
    assert about["units"] == {"time": "s", "acc": "m/s²"}


def test_nothing_is_ever_overwritten(tmp_path: Path) -> None:
    (tmp_path / "ann-007.json").write_text("{}")  # a side-car whose CSV somebody moved away
    for name in ("ann-008.csv", "ann-009.csv"):
        with create_recording(tmp_path, "ann", ACCELEROMETER, {}) as writer:
            assert writer.path.name == name
    with pytest.raises(FileExistsError):
        RecordingWriter(tmp_path / "ann-007.csv", ACCELEROMETER, {})
    assert not (tmp_path / "ann-007.csv").exists()


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordingError, match="cannot write into"):
        create_recording(tmp_path / "file" / "data", "ann", ACCELEROMETER, {})
    with pytest.raises(RecordingError, match="is a file; give a folder"):
        create_recording(tmp_path / "file", "ann", ACCELEROMETER, {})


def test_a_last_line_that_was_cut_goes_and_no_other(tmp_path: Path) -> None:
    with create_recording(tmp_path, "ann", ACCELEROMETER, ABOUT) as writer:
        writer.write(block(0, 10), ["walking"] * 10)
        whole, side_car = writer.path.read_bytes(), writer.path.with_suffix(".json").read_bytes()
    killed = tmp_path / "killed.csv"
    killed.with_suffix(".json").write_bytes(side_car)
    for cut in range(1, 30):
        killed.write_bytes(whole[:-cut])
        recording = read_recording(killed)
        assert (len(recording), recording.dropped) == (9, 1)
        assert recording.labels is not None
        assert set(recording.labels) == {"walking"}
    killed.write_bytes(whole)
    assert (len(read_recording(killed)), read_recording(killed).dropped) == (10, 0)


def test_without_a_side_car_only_a_line_with_fields_missing_counts_as_cut(tmp_path: Path) -> None:
    path = tmp_path / "theirs.csv"
    head = "time,acc_x,acc_y,acc_z\n0,0,0,9.8\n0.02,0,0,9.8\n"
    path.write_text(head + "0.04,0,0,9.8")
    assert len(read_recording(path)) == 3
    path.write_text(head + "0.04,0,0")
    assert (len(read_recording(path)), read_recording(path).dropped) == (2, 1)
    path.write_text(head + "0.04,0,0\n0.06,0,0,9.8\n")
    with pytest.raises(RecordingError, match="line 4: 3 fields"):
        read_recording(path)


FILL = """
import sys
sys.path.insert(0, sys.argv[2])
from test_recording_writer import ABOUT, ACCELEROMETER, block, create_recording
from pathlib import Path
writer = create_recording(Path(sys.argv[1]), "ann", ACCELEROMETER, ABOUT)
try:
    for first in range(0, 10_000, 10):
        writer.write(block(first, 10), ["walk"] * 10)
except Exception as error:
    writer.close({"ended_by": str(error)})
    print(type(error).__name__, error)
"""


def test_a_full_disk_leaves_a_file_that_can_be_read(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FILL, str(tmp_path), str(Path(__file__).parent)],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("RecordingError"), done.stderr
    recording = read_recording(tmp_path / "ann-001.csv")
    assert f"The {len(recording)} samples before" in done.stdout
    assert len(recording) > 500
    assert recording.about["complete"] is True
    assert recording.values[-1].tolist() == block(len(recording) - 1, 1).values[0].tolist()


def test_labels_hold_from_the_key_on_not_from_the_block_on() -> None:
    labelling = Labelling(("walk", "run"))
    labelling.choose("walk", at=99.9)
    labelling.choose("run", at=100.05)
    times = np.arange(10) * 0.02
    arriving = SampleBlock(times, np.zeros((10, 3), np.float32), ACCELEROMETER, received=100.1)
    assert labelling.of(arriving) == ["walk"] * 7 + ["run"] * 3
    assert labelling.of(block(0, 2)) == ["run"] * 2  # no arrival is told
    for k in range(1000):
        labelling.choose(("walk", "run")[k % 2], at=101.0 + k)
    assert len(labelling._changes) < 100


def test_times_that_are_none_cost_their_samples_and_no_others(tmp_path: Path) -> None:
    times = np.array([np.nan, np.inf, 1.0, np.inf, 1.02, 1.01, 1.04])
    with create_recording(tmp_path, "any", ACCELEROMETER, ABOUT) as writer:
        writer.write(SampleBlock(times, np.ones((7, 3), np.float32), ACCELEROMETER), ["walk"] * 7)
    assert read_recording(writer.path).times.tolist() == [0.0, 0.02, 0.04]
    assert json.loads(writer.path.with_suffix(".json").read_text())["skipped"] == writer.skipped == 4

from pathlib import Path

import numpy as np
import pytest

from img2imu_edge import RecordingError, read_recording

HEADER = "time,acc_x,acc_y,acc_z,label\n"


def write(folder: Path, text: str) -> Path:
    path = folder / "run.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_columns_are_found_by_name_in_any_order(tmp_path: Path) -> None:
    path = write(tmp_path, "label,acc_z,time,acc_x,acc_y\nup,3,0.00,1,2\nup,6,0.02,4,5\n\n")
    recording = read_recording(path)
    assert recording.channels == ("acc_z", "acc_x", "acc_y")
    np.testing.assert_array_equal(recording.values, [[3, 1, 2], [6, 4, 5]])
    np.testing.assert_array_equal(recording.times, [0.0, 0.02])
    assert recording.rate == 50.0
    assert recording.labels is not None
    assert recording.labels.tolist() == ["up", "up"]


def test_labels_are_optional_and_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    recording = read_recording(write(tmp_path, "\ufefftime,acc_x,acc_y,acc_z\n0,1,2,3\n1,1,2,3\n"))
    assert recording.labels is None
    assert recording.rate == 1.0


def test_rows_with_missing_values_become_gaps(tmp_path: Path) -> None:
    rows = "0,1,2,3,a\n0.02,nan,2,3,a\n0.04,,2,3,a\n0.06,1,inf,3,a\n0.08,1,2,3,b\n0.1,1,2,3,b\n"
    recording = read_recording(write(tmp_path, HEADER + rows))
    assert recording.dropped == 3
    np.testing.assert_array_equal(recording.times, [0, 0.08, 0.1])
    assert recording.labels is not None
    assert recording.labels.tolist() == ["a", "b", "b"]


def test_the_side_car_is_read(tmp_path: Path) -> None:
    path = write(tmp_path, HEADER + "0,1,2,3,a\n1,1,2,3,a\n")
    path.with_suffix(".json").write_text('{"licence": "CC0"}')
    assert read_recording(path).about == {"licence": "CC0"}
    path.with_suffix(".json").write_text("{")
    with pytest.raises(RecordingError, match="not valid JSON"):
        read_recording(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "lacks the columns time, acc_x, acc_y, acc_z"),
        ("time,acc_x,acc_y\n0,1,2\n", "lacks the column acc_z"),
        ("time,acc_x,acc_y,acc_z,acc_x\n", "'acc_x' twice"),
        (HEADER + "0,1,2,3\n", "line 2: 4 fields"),
        (HEADER + "0,1,2,3,a\n0.02,1,two,3,a\n", "line 3: acc_y is 'two', and must be a number"),
        (
            HEADER + "2026-01-01T10:00,1,2,3,a\n",
            "line 2: time is '2026-01-01T10:00', and must be",
        ),
        ("time;acc_x;acc_y;acc_z\n0,00;1,0;2,0;3,0\n", "has semicolons between its columns"),
        ("time\tacc_x\tacc_y\tacc_z\n0\t1\t2\t3\n", "has tabs between its columns"),
        ("timestamp,ax,ay,az\n0,1,2,3\n", "It is: timestamp,ax,ay,az"),
        (
            HEADER + "0,1,2,3,a\n20,1,2,3,a\n",
            "grows by 20, .* milliseconds: divide it by 1,000",
        ),
        (HEADER + "0,1,2,3,a\n20000,1,2,3,a\n", "like microseconds: divide it by 1,000,000"),
        (HEADER + "0,1,2,3,a\n2e7,1,2,3,a\n", "like nanoseconds: divide it by 1,000,000,000"),
        (HEADER + "0,1,2,3,a\n", "1 usable rows"),
        (HEADER + "0,1,2,3,a\n1,nan,2,3,a\n0.5,1,2,3,a\n0.4,1,2,3,a\n", "line 5: time 0.4 comes after 0.5"),
        (HEADER + "0,1,2,3,a\n0,1,2,3,a\n", "times must increase"),
        ("\0\0\0", "not a text file"),
    ],
)
def test_a_bad_file_says_what_to_mend_and_where(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(RecordingError, match=message):
        read_recording(write(tmp_path, text))


def test_files_that_are_no_text_or_not_there(tmp_path: Path) -> None:
    (tmp_path / "photo.csv").write_bytes(b"\x89PNG\xff\xfe")
    with pytest.raises(RecordingError, match="not a text file"):
        read_recording(tmp_path / "photo.csv")
    with pytest.raises(RecordingError, match="No such file"):
        read_recording(tmp_path / "none.csv")


def test_a_field_without_an_end_is_no_recording(tmp_path: Path) -> None:
    path = tmp_path / "run.csv"
    path.write_text('time,acc_x,acc_y,acc_z\n0,1,2,"' + "3" * 200_000)
    with pytest.raises(RecordingError, match=r"run\.csv is no CSV"):
        read_recording(path)

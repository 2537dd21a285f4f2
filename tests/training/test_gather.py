"""Folders as people have them: what is put right, what is said, and what stops."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from img2imu_training.checks import Notice, check_classes, check_units, still_level
from img2imu_training.gather import read_recordings
from img2imu_training.recipe import load_corpus
from img2imu_training.recordings import NO_LABEL, Corpus, TrainingSession
from img2imu_training.uniform import BRIDGE_S, common_rate, parts

from img2imu_edge.errors import RecordingError
from img2imu_edge.recording import Recording

G = 9.80665
ACC = ("acc_x", "acc_y", "acc_z")
GYR = ("gyr_x", "gyr_y", "gyr_z")


def write(
    path: Path,
    *,
    rate: float = 50.0,
    seconds: float = 24.0,
    subject: str | None = None,
    session: str | None = None,
    placement: str | None = None,
    without: tuple[float, float] | None = None,
    gyroscope: bool = False,
    seed: int = 0,
    labels: tuple[str, str] = ("rest", "shake"),
    unit: float = 1.0,
) -> None:
    """Half the time at rest, half shaken at 2 Hz; `without` is a span of seconds that is missing."""
    times = np.arange(round(seconds * rate)) / rate
    noise = np.random.default_rng(seed).normal(0, 0.02, (len(times), 3))
    shaken = times >= seconds / 2
    motion = np.outer(shaken * np.sin(2 * np.pi * 2 * times), [3, 1, 0])
    columns = [times, *((noise + motion + np.array([0, 0, G])) * unit).T]
    if gyroscope:
        columns += list(np.random.default_rng(seed).normal(0, 0.5, (3, len(times))))
    kept = np.ones(len(times), bool)
    if without:
        kept = (times < without[0]) | (times >= without[1])
    lines = [",".join(["time", *ACC, *(GYR if gyroscope else ()), "label"])]
    for row, is_shaken in zip(np.array(columns).T[kept], shaken[kept], strict=True):
        lines.append(",".join(f"{value:.6f}" for value in row) + f",{labels[int(is_shaken)]}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    said = {"subject": subject, "session": session, "placement": placement}
    about = {key: value for key, value in said.items() if value}
    if about:
        path.with_suffix(".json").write_text(json.dumps(about))


def texts(notices: tuple[Notice, ...] | list[Notice]) -> str:
    return "\n".join(f"{notice.level}: {notice.text}" for notice in notices)


def test_a_tidy_folder_is_read_with_its_sub_folders_and_nothing_is_said(tmp_path: Path) -> None:
    write(tmp_path / "monday" / "a.csv", subject="ann", seed=1, placement="wrist")
    write(tmp_path / "tuesday" / "a.CSV", subject="bob", seed=2, placement="wrist")
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "c.csv").write_text("nothing")
    (tmp_path / "monday" / "._a.csv").write_bytes(b"\x00\x05")
    corpus, notices = read_recordings(tmp_path)
    assert notices == ()
    assert corpus.subjects == ("ann", "bob")
    assert corpus.classes == ("rest", "shake")
    assert [s.name for s in corpus.sessions] == ["monday/a", "tuesday/a"]
    assert (corpus.rate, corpus.channels, corpus.about) == (50.0, ACC, {"placement": "wrist"})
    assert [len(s.values) for s in corpus.sessions] == [1200, 1200]
    np.testing.assert_array_equal(np.bincount(corpus.sessions[0].labels), [600, 600])


def test_samples_on_the_grid_keep_their_bits(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", subject="ann", seed=1)
    write(tmp_path / "b.csv", subject="bob", seed=2)
    corpus, _ = read_recordings(tmp_path)
    table = np.loadtxt(tmp_path / "a.csv", delimiter=",", skiprows=1, usecols=(1, 2, 3))
    np.testing.assert_array_equal(corpus.sessions[0].values, table.astype(np.float32))


def test_files_that_cannot_be_used_are_named_and_the_good_ones_go_on(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", subject="ann", seed=1)
    write(tmp_path / "b.csv", subject="bob", seed=2)
    (tmp_path / "copy.csv").write_bytes((tmp_path / "b.csv").read_bytes())
    (tmp_path / "list.csv").write_text("name,age\nann,30\n")
    (tmp_path / "photo.csv").write_bytes(b"\x89PNG\xff\x00")
    (tmp_path / "huge.csv").write_text("time,acc_x,acc_y,acc_z\n0,1e300,0,0\n1,1,1,1\n")
    corpus, notices = read_recordings(tmp_path)
    assert [s.name for s in corpus.sessions] == ["a", "b"]
    said = texts(notices)
    assert "same samples as b" in said
    assert "list.csv lacks the columns" in said
    assert "photo.csv is not a text file" in said
    assert "huge.csv has values that no sensor gives" in said
    assert all(notice.level == "warning" for notice in notices)


def test_many_bad_files_are_summed_up(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", subject="ann", seed=1)
    write(tmp_path / "b.csv", subject="bob", seed=2)
    for number in range(9):
        (tmp_path / f"bad{number}.csv").write_text("no")
    _, notices = read_recordings(tmp_path)
    assert len(notices) == 6
    assert "4 more files" in notices[-1].text


def test_nothing_left_is_an_error_that_says_why(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"no \.csv recordings"):
        read_recordings(tmp_path)
    (tmp_path / "list.csv").write_text("name,age\nann,30\n")
    with pytest.raises(RecordingError, match=r"can be used.*lacks the columns"):
        read_recordings(tmp_path)
    with pytest.raises(RecordingError, match="cannot read"):
        read_recordings(tmp_path / "nowhere.csv")
    with pytest.raises(RecordingError, match="give one above 0"):
        read_recordings(tmp_path, rate=0)


def test_rates_are_brought_to_the_one_of_most_of_the_time(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", subject="ann", seed=1)
    write(tmp_path / "b.csv", subject="bob", seed=2, rate=49.95)
    write(tmp_path / "c.csv", subject="cat", seed=3, rate=100)
    write(tmp_path / "d.csv", subject="dan", seed=4, rate=25)
    corpus, notices = read_recordings(tmp_path)
    assert corpus.rate == 50
    assert len(notices) == 1
    assert "2 of 4" in notices[0].text
    assert "c (100 Hz), d (25 Hz)" in notices[0].text
    assert "nothing above 12.5 Hz" in notices[0].text
    for session in corpus.sessions:
        assert abs(len(session.values) - 1200) <= 2
        shaken = session.values[session.labels == 1][50:-50, 0]
        spectrum = np.abs(np.fft.rfft(shaken * np.hanning(len(shaken))))
        assert np.fft.rfftfreq(len(shaken), 1 / 50)[spectrum.argmax()] == pytest.approx(2, abs=0.1)
        assert shaken.std() == pytest.approx(3 / np.sqrt(2), rel=0.03)
    asked, notices = read_recordings(tmp_path, rate=25)
    assert asked.rate == 25
    assert "as asked" in notices[0].text
    assert notices[0].level == "note"  # nothing is lacking at a lower rate


def test_labels_stay_with_their_samples_when_the_rate_changes(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", subject="ann", seed=1, rate=40)
    write(tmp_path / "b.csv", subject="bob", seed=2, rate=40)
    corpus, _ = read_recordings(tmp_path, rate=64)
    labels = corpus.sessions[0].labels
    change = int(np.flatnonzero(np.diff(labels))[0]) + 1
    assert change / 64 == pytest.approx(12, abs=1 / 40)


def test_gaps_part_a_recording_and_lost_packets_do_not(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", subject="ann", seed=1, without=(10.0, 13.0))
    write(tmp_path / "b.csv", subject="bob", seed=2, without=(10.0, 10.1))
    write(tmp_path / "c.csv", subject="cat", seed=3, without=(2.0, 3.0))
    corpus, notices = read_recordings(tmp_path)
    lengths = {s.name: len(s.values) for s in corpus.sessions}
    assert lengths == {"a": 500, "a#2": 550, "b": 1200, "c": 100, "c#2": 1050}
    assert [s.subject for s in corpus.sessions if s.name.startswith("a")] == ["ann", "ann"]
    said = texts(notices)
    assert "Split where more than 0.2 s are missing: a (2 parts), c (2 parts)" in said
    assert "0.1 s in all" in said
    assert "1 of 5 stretches are shorter" in said


@settings(max_examples=25)
@given(
    rate=st.sampled_from([20.0, 31.25, 50.0, 100.0]),
    target=st.sampled_from([20.0, 50.0, 64.0]),
    gaps=st.lists(st.tuples(st.integers(10, 380), st.integers(1, 60)), max_size=4),
)
def test_whatever_is_missing_parts_cover_what_is_there(
    rate: float, target: float, gaps: list[tuple[int, int]]
) -> None:
    kept = np.ones(400, bool)
    for start, length in gaps:
        kept[start : start + length] = False
    times = np.flatnonzero(kept) / rate
    values = np.random.default_rng(0).normal(size=(len(times), 3)).astype(np.float32)
    found = parts(Recording("r", times, values, ACC, None, rate), ACC, target)
    assert len(found) == 1 + int(np.sum(np.diff(times) > max(BRIDGE_S, 1.5 / rate)))
    for part in found:
        assert len(part.nearest) == len(part.values)
        assert np.all(np.diff(part.nearest) >= 0)
        assert np.isfinite(part.values).all()
        # Where the grid is and where its nearest samples are is the same to within half a bridge.
        at = times[part.nearest[0]] + np.arange(len(part.values)) / target
        assert np.abs(times[part.nearest] - at).max() <= max(BRIDGE_S, 1 / rate) / 2 + 1e-9


def test_a_rate_is_common_by_time_and_exact_if_all_agree() -> None:
    def recording(rate: float, samples: int) -> Recording:
        return Recording("r", np.arange(samples) / rate, np.zeros((samples, 3), np.float32), ACC, None, rate)

    assert common_rate([recording(49.9, 100), recording(49.9, 9)]) == 49.9
    assert common_rate([recording(49.9, 100), recording(50.1, 100), recording(31.25, 120)]) == 50
    assert common_rate([recording(25, 3000), recording(100, 4000)]) == 25


def test_the_common_channels_are_used(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", subject="ann", seed=1, gyroscope=True)
    write(tmp_path / "b.csv", subject="bob", seed=2, gyroscope=True)
    assert read_recordings(tmp_path)[0].channels == ACC + GYR
    write(tmp_path / "c.csv", subject="cat", seed=3)
    corpus, notices = read_recordings(tmp_path)
    assert corpus.channels == ACC
    for path in tmp_path.glob("[ab].csv"):
        path.write_text(path.read_text().replace("gyr_", "gyro_"))
    said = texts(read_recordings(tmp_path)[1])
    assert "not used: gyro_x, gyro_y, gyro_z. Those that are: acc_x, acc_y, acc_z." in said
    assert "gyroscope is left out, since 1 of 3 recordings lack it: c" in texts(notices)


def test_who_wore_it_and_where_matters(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", seed=1, placement="wrist")
    write(tmp_path / "b.csv", seed=2, placement="pocket")
    corpus, notices = read_recordings(tmp_path)
    assert corpus.subjects == ("a", "b")
    said = texts(notices)
    assert "2 of 2 recordings do not say who" in said
    assert "different places (pocket, wrist)" in said
    with pytest.warns(UserWarning) as caught:  # noqa: PT030
        assert load_corpus(tmp_path.name, tmp_path.parent).subjects == ("a", "b")
    assert len(caught) == 2


def test_people_and_sessions_may_be_numbered_from_0(tmp_path: Path) -> None:
    """Two recordings of person 0 are not two people, one to learn from and one to judge by."""
    for number, name in enumerate("abcd"):
        write(tmp_path / f"{name}.csv", seed=number)
        about = {"subject": number // 2, "session": number // 2}
        (tmp_path / f"{name}.json").write_text(json.dumps(about))
    corpus, notices = read_recordings(tmp_path)
    assert (corpus.subjects, notices) == (("0", "1"), ())
    for number, name in enumerate("abcd"):
        (tmp_path / f"{name}.json").write_text(json.dumps({"subject": "ann", "session": number // 2}))
    assert read_recordings(tmp_path)[0].subjects == ("0", "1")


def test_a_person_under_two_names_is_asked_about(tmp_path: Path) -> None:
    for number, name in enumerate(("Ann B", "ann_b", "bob", " bob ")):
        write(tmp_path / f"{number}.csv", seed=number, subject=name)
    corpus, notices = read_recordings(tmp_path)
    assert corpus.subjects == ("Ann B", "ann_b", "bob")
    assert [n.text.partition(". ")[0] for n in notices] == ["'Ann B' and 'ann_b' count as different people"]


def test_one_persons_sessions_stand_in_for_people(tmp_path: Path) -> None:
    write(tmp_path / "a1.csv", subject="ann", session="monday", seed=1, without=(4, 6))
    write(tmp_path / "a2.csv", subject="ann", session="monday", seed=2)
    write(tmp_path / "b.csv", subject="ann", seed=3)
    corpus, notices = read_recordings(tmp_path)
    assert corpus.subjects == ("b", "monday")
    assert {s.subject for s in corpus.sessions if s.name.startswith("a1")} == {"monday"}
    assert "2 sessions are held out in turn" in texts(notices)
    assert "too good if the sensor was not taken off" in texts(notices)


def test_a_single_session_is_refused_with_what_to_record(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", subject="ann", seed=1, without=(5, 8))
    with pytest.raises(RecordingError, match="Record every class at least once more"):
        read_recordings(tmp_path)
    with pytest.raises(RecordingError, match="img2imu enroll can teach a model that is there"):
        read_recordings(tmp_path / "a.csv")


@pytest.mark.parametrize(
    ("unit", "word"), [(1 / G, "the unit is g"), (1000 / G, "the unit is mg"), (16384 / G, "raw counts")]
)
def test_a_wrong_unit_stops(tmp_path: Path, unit: float, word: str) -> None:
    write(tmp_path / "a.csv", subject="ann", seed=1)
    write(tmp_path / "b.csv", subject="bob", seed=2, unit=unit)
    with pytest.raises(RecordingError, match=f"in b: .*{word}; multiply"):
        read_recordings(tmp_path)


def of_one(values: np.ndarray, channels: tuple[str, ...] = ACC) -> Corpus:
    session = TrainingSession("s", "p", values.astype(np.float32), np.zeros(len(values), np.int16))
    return Corpus("c", 50.0, channels, ("x", "y"), (session,), {})


def test_units_are_told_by_what_a_still_sensor_shows() -> None:
    rng = np.random.default_rng(0)
    still = rng.normal(0, 0.03, (500, 3)) + np.array([0, 6, np.sqrt(G**2 - 36)])
    assert check_units(of_one(still)) == []
    assert still_level(still.astype(np.float32), 50.0) == pytest.approx(G, rel=0.01)
    (notice,) = check_units(of_one(still - still.mean(axis=0)))
    assert "gravity was taken off" in notice.text
    (notice,) = check_units(of_one(still * 1.2))
    assert "multiplying by 0.83" in notice.text
    moving = rng.normal(0, 4, (500, 3)) + np.array([0, 0, G])
    assert still_level(moving.astype(np.float32), 50.0) is None
    assert check_units(of_one(moving)) == []
    (notice,) = check_units(of_one(moving / G))
    assert notice.text.startswith("A moving sensor must show about 9.8 m/s², but shows 1.")
    assert "the unit is g (multiply acc_x, acc_y and acc_z by 9.80665), or gravity was taken" in notice.text
    with pytest.raises(RecordingError, match=r"shows 1[01].. in s: the unit is not m/s², but mg"):
        check_units(of_one(moving * 1000 / G))


def test_files_that_are_never_still_are_named_with_those_that_are() -> None:
    rng = np.random.default_rng(0)
    still = of_one((rng.normal(0, 0.03, (500, 3)) + np.array([0, 0, G])) / G).sessions[0]
    moving = of_one((rng.normal(0, 4, (500, 3)) + np.array([0, 0, G])) / G).sessions[0]
    sessions = tuple(replace(s, name=n) for n, s in (("a", moving), ("b", still), ("c", moving)))
    with pytest.raises(RecordingError, match=r"shows 1 in a, b, c: the unit is g; multiply"):
        check_units(replace(of_one(still.values), sessions=sessions))


def test_a_gyroscope_in_degrees_is_noticed() -> None:
    rng = np.random.default_rng(0)
    turning = np.concatenate([rng.normal(0, 3, (500, 3)), rng.normal(0, 3, (500, 3))], axis=1)
    assert check_units(of_one(turning, ACC + GYR)) == []
    turning[:, 3:] *= 57.3
    (notice,) = check_units(of_one(turning, ACC + GYR))
    assert "0.0174533" in notice.text


def test_units_of_real_recordings_raise_no_false_alarm(corpus: Corpus) -> None:
    assert check_units(corpus) == []


def test_classes_too_small_or_of_one_person_are_named() -> None:
    def session(name: str, subject: str, label: int, seconds: int) -> TrainingSession:
        labels = np.full(seconds * 50, label, np.int16)
        return TrainingSession(name, subject, np.zeros((seconds * 50, 3), np.float32), labels)

    sessions = (
        session("a", "ann", 0, 20),
        session("b", "bob", 0, 20),
        session("c", "ann", 1, 20),
        session("d", "bob", 2, 7),
        session("e", "bob", NO_LABEL, 20),
    )
    corpus = Corpus("c", 50.0, ACC, ("Walk", "run", "walk "), sessions, {})
    said = texts(check_classes(corpus, "person"))
    assert "From one person only: 'run' (ann)." in said
    assert "Too short to fill two windows of 5 s: 'walk '." in said
    assert "'Walk' and 'walk ' count as different" in said
    with pytest.raises(RecordingError, match="one class only, 'Walk'; a classifier needs at least two"):
        check_classes(replace(corpus, classes=("Walk",)), "person")
    with pytest.raises(RecordingError, match="no labels"):
        check_classes(replace(corpus, classes=()), "person")


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("abducton", "abduction"), "'abducton' (ann; or is it 'abduction'?)."),
        (("gesture 1", "gesture 2"), "'gesture 1' (ann)."),
        (("left", "right"), "'left' (ann)."),
    ],
)
def test_a_class_that_may_be_misspelt_is_asked_about(names: tuple[str, str], said: str) -> None:
    def session(subject: str, label: int) -> TrainingSession:
        return TrainingSession(
            subject, subject, np.zeros((1000, 3), np.float32), np.full(1000, label, np.int16)
        )

    sessions = (session("ann", 0), session("bob", 1), session("cat", 1))
    assert said in texts(check_classes(Corpus("c", 50.0, ACC, names, sessions, {}), "person"))


def test_an_npz_corpus_is_checked_and_resampled_on_request(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    acc = rng.normal(0, 0.03, (2000, 3)) + np.array([0, 0, G])
    arrays = {
        "acc": np.round(acc * 1000).astype(np.int16),
        "acc_scale": np.float64(0.001),
        "fs": np.float64(50.0),
        "label": np.repeat([0, 1, 0, 1], 500).astype(np.int16),
        "classes": np.array(["rest", "walk"]),
        "subject": np.repeat([0, 1], 1000).astype(np.int16),
        "session": np.repeat([0, 1], 1000).astype(np.int32),
        "subjects": np.array(["p", "q"]),
        "sessions": np.array(["one", "two"]),
    }
    np.savez(tmp_path / "c.npz", **arrays)
    corpus, notices = read_recordings(tmp_path / "c.npz")
    assert (corpus.rate, notices) == (50.0, ())
    corpus, notices = read_recordings(tmp_path / "c.npz", rate=25)
    assert [len(s.values) for s in corpus.sessions] == [500, 500]
    np.testing.assert_array_equal(np.bincount(corpus.sessions[0].labels), [250, 250])
    assert "from 50 to 25 Hz" in notices[0].text
    arrays["acc_scale"] = np.float64(0.001 / G)
    np.savez(tmp_path / "g.npz", **arrays)
    with pytest.raises(RecordingError, match="the unit is g"):
        read_recordings(tmp_path / "g.npz")

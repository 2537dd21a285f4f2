"""Tasks and splits of the few-label benchmark: whose windows, how long, and who never meets whom."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from img2imu_training.benchmark.splits import BUDGETS, CAP, split
from img2imu_training.benchmark.tasks import (
    TASKS,
    Task,
    find_tasks,
    load_task,
    merged,
    task_columns,
    task_spec,
)
from img2imu_training.recordings import Corpus, TrainingSession
from img2imu_training.windows import Windows, pictures
from numpy.typing import NDArray

from img2imu_edge.errors import BenchmarkError, RecordingError
from img2imu_edge.samples import ACCELEROMETER
from img2imu_edge.spec import SpectrogramSpec
from img2imu_edge.spectrogram import SpectrogramPlan


def labelled(subjects: NDArray[np.int64], labels: NDArray[np.int64]) -> Windows:
    """Windows of one sample, which is their number."""
    samples = np.arange(len(labels), dtype=np.float32)[:, None, None] * np.ones((1, 1, 3), np.float32)
    return Windows(samples, labels, subjects.astype(np.str_), np.zeros(len(labels), np.int64))


@st.composite
def many(draw: st.DrawFn) -> tuple[Windows, int]:
    """Windows of 4 to 12 people and 2 to 5 classes, some of them rare."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    classes, people = draw(st.integers(2, 5)), draw(st.integers(4, 12))
    count = draw(st.sampled_from([60, 400, 5000]))
    share = rng.dirichlet(np.full(classes, 0.7))
    windows = labelled(rng.integers(0, people, count), rng.choice(classes, count, p=share))
    for label in range(classes):
        assume(len(np.unique(windows.subjects[windows.labels == label])) >= 3)
    return windows, classes


@settings(max_examples=60, deadline=None)
@given(many(), st.integers(0, 1000))
def test_nobody_teaches_and_is_tested_and_the_few_are_among_the_many(
    made: tuple[Windows, int], seed: int
) -> None:
    windows, classes = made
    drawn = split(windows, classes, seed)
    people = np.unique(windows.subjects)
    assert sorted(drawn.teachers + drawn.others) == sorted(people)
    assert len(drawn.teachers) == (len(people) + 1) // 2
    assert set(windows.subjects[drawn.test]) <= set(drawn.others)
    untested = np.isin(windows.subjects, drawn.others).sum() - len(drawn.test)
    assert len(drawn.test) == len(set(drawn.test))
    assert untested == 0 or len(drawn.test) == CAP
    before: set[int] = set()
    available = np.bincount(windows.labels[np.isin(windows.subjects, drawn.teachers)], minlength=classes)
    for budget in BUDGETS:
        train = drawn.train(budget)
        assert len(train) == len(set(train))
        assert set(windows.subjects[train]) <= set(drawn.teachers)
        counts = np.bincount(windows.labels[train], minlength=classes)
        if budget is None:
            assert len(train) == min(CAP, available.sum())
        else:
            assert counts.tolist() == np.minimum(budget, available).tolist()
        assert counts.min() >= 1
        assert before <= set(train)
        before = set(train)


@settings(max_examples=20, deadline=None)
@given(many(), st.integers(0, 1000))
def test_a_seed_gives_one_split_and_another_seed_another(made: tuple[Windows, int], seed: int) -> None:
    windows, classes = made
    first, again, other = (split(windows, classes, number) for number in (seed, seed, seed + 1))
    assert first.teachers == again.teachers
    np.testing.assert_array_equal(first.test, again.test)
    for budget in BUDGETS:
        np.testing.assert_array_equal(first.train(budget), again.train(budget))
    assert first.teachers != other.teachers or any(
        mine.tolist() != theirs.tolist() for mine, theirs in zip(first.ranked, other.ranked, strict=True)
    )


def test_all_labels_keep_the_shares_of_the_classes() -> None:
    rng = np.random.default_rng(0)
    labels = rng.choice(3, 12_000, p=[0.7, 0.25, 0.05])
    windows = labelled(rng.integers(0, 10, 12_000), labels)
    train = split(windows, 3, 0).train(None)
    assert np.bincount(labels[train]) / CAP == pytest.approx([0.7, 0.25, 0.05], abs=0.02)


def test_people_are_drawn_again_until_all_classes_are_on_both_sides() -> None:
    subjects = np.repeat(np.arange(8), 6)
    labels = np.where(subjects < 2, 1, 0)  # only two of eight have class 1
    for seed in range(20):
        drawn = split(labelled(subjects, labels), 2, seed)
        assert len({"0", "1"} & set(drawn.teachers)) == 1


def test_a_class_of_one_person_cannot_be_split() -> None:
    subjects = np.repeat(np.arange(6), 5)
    with pytest.raises(BenchmarkError, match="all 2 classes"):
        split(labelled(subjects, np.where(subjects == 3, 1, 0)), 2, 0)


def session(labels: list[int], subject: str = "a") -> TrainingSession:
    return TrainingSession(
        f"of {subject}", subject, np.zeros((len(labels), 3), np.float32), np.array(labels, np.int16)
    )


def test_a_merged_class_is_no_more_and_no_label_stays_no_label() -> None:
    corpus = Corpus("pool", 30.0, ACCELEROMETER, ("null", "turn", "crawl"), (session([0, 1, 2, -1, 1]),), {})
    result = merged(corpus, {"turn": "null"})
    assert result.classes == ("null", "crawl")
    assert result.sessions[0].labels.tolist() == [0, 0, 1, -1, 0]


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("rate", [30.0, 50.0])
def test_the_picture_lasts_as_long_as_the_window(name: str, rate: float) -> None:
    (task,) = find_tasks((name,))
    plan = SpectrogramPlan(task_spec(task), rate, 3)
    samples = plan.frame + (task_columns(task, rate) - 1) * plan.hop
    assert task.window_s * rate - plan.hop < samples <= task.window_s * rate


def test_five_seconds_take_the_preset_as_it_is() -> None:
    assert task_spec(TASKS["spar"]) == SpectrogramSpec.preset("motion")
    assert task_columns(TASKS["spar"], 50.0) == 35


@pytest.mark.parametrize("axes", [3, 6])
def test_spar_is_cut_into_windows_that_its_picture_fits(axes: int) -> None:
    (task,) = find_tasks(("spar",), axes)
    data = load_task(task)
    assert len(data.classes) == 7
    assert data.windows.samples.shape[1:] == (250, axes)
    shown = pictures(data.windows.samples[:2], SpectrogramPlan(task_spec(task), data.rate, axes))
    assert shown.shape == (2, 3, 32 * axes // 3, 35)


def test_a_task_is_read_from_its_folder(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    np.savez(
        tmp_path / "pool.npz",
        acc=rng.integers(-100, 100, (900, 3)).astype(np.int16),
        acc_scale=0.01,
        fs=30.0,
        label=np.repeat([0, 1, 2], 300).astype(np.int16),
        subject=np.zeros(900, np.int16),
        session=np.zeros(900, np.int16),
        classes=np.array(["null", "crawl", "turn"]),
        subjects=np.array(["a"]),
        sessions=np.array(["one"]),
    )
    data = load_task(Task("pool", "pool", merges=(("turn", "null"),)), tmp_path)
    assert data.classes == ("null", "crawl")
    assert data.windows.samples.shape[1:] == (150, 3)
    assert set(data.windows.labels) == {0, 1}


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="no task is called 'juggling'; there are: spar"):
        find_tasks(("spar", "juggling"))
    with pytest.raises(BenchmarkError, match="not 4"):
        find_tasks(("spar",), axes=4)
    with pytest.raises(BenchmarkError, match="no preset is called 'oil'"):
        find_tasks(("spar",), picture="oil")
    with pytest.raises(BenchmarkError, match="say --data FOLDER"):
        load_task(TASKS["swimming"])
    with pytest.raises(RecordingError, match="swimming"):
        load_task(TASKS["swimming"], tmp_path)


def test_the_picture_of_the_paper_is_a_task_of_its_own() -> None:
    (task,) = find_tasks(("spar",), picture="paper")
    assert task.name == "spar (paper picture)"
    assert task_spec(task) == SpectrogramSpec.preset("paper")
    data = load_task(task)
    shown = pictures(data.windows.samples[:2], SpectrogramPlan(task_spec(task), data.rate, 3))
    assert shown.shape == (2, 3, 51, 17)

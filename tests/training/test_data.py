from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from img2imu_training import demo
from img2imu_training.checkpoint import load
from img2imu_training.evaluate import part
from img2imu_training.recipe import Recipe, read_recipe
from img2imu_training.recordings import Corpus, read_npz
from img2imu_training.windows import cut, pictures, window_samples

import img2imu_edge as i2e
from img2imu_edge.spectrogram import StreamingSpectrogram, stack


def test_spar_is_whole_and_in_si_units(corpus: Corpus) -> None:
    assert corpus.subjects == tuple(f"{n:02d}" for n in range(1, 11))
    assert len(corpus.sessions) == 140
    assert len({session.name for session in corpus.sessions}) == 140
    # A slow exercise is mostly gravity, whichever way the watch points.
    slow = [s.values[:, :3] for s in corpus.sessions if "external_rotation" in corpus.classes[s.labels[0]]]
    norms = [np.median(np.linalg.norm(values, axis=1)) for values in slow]
    assert 9.3 < np.median(norms) < 10.3


def test_the_demo_is_of_someone_whom_the_model_never_saw(
    corpus: Corpus, recipe: Recipe, weights: Path, recording: i2e.Recording
) -> None:
    _, card = load(weights)
    assert recording.about["subject"] == demo.SUBJECT
    assert demo.SUBJECT in recipe.data.keep_out
    assert demo.SUBJECT not in recipe.corpus(None).subjects
    assert card.provenance["subjects"]["kept_out"] == [demo.SUBJECT]
    assert demo.SUBJECT not in card.provenance["subjects"]["trained"]


def test_the_demo_recording_is_made_anew_to_the_byte(tmp_path: Path) -> None:
    made = demo.write(tmp_path / "shoulder.csv")
    assert made.read_bytes() == i2e.demo_recording().read_bytes()
    assert made.with_suffix(".json").read_bytes() == i2e.demo_recording().with_suffix(".json").read_bytes()


@given(
    people=st.sets(st.text("abcxyz09", min_size=1, max_size=3), min_size=2, max_size=12),
    folds=st.integers(2, 5),
    seed=st.integers(0, 99),
)
def test_nobody_is_on_both_sides_of_a_split(people: set[str], folds: int, seed: int) -> None:
    if folds > len(people):
        with pytest.raises(ValueError, match="cannot be parted"):
            part(tuple(people), folds, seed)
        return
    groups = part(tuple(people), folds, seed)
    assert sorted(person for group in groups for person in group) == sorted(people)
    sizes = [len(group) for group in groups]
    assert max(sizes) - min(sizes) <= 1


def test_no_window_crosses_a_session(corpus: Corpus) -> None:
    windows = cut(corpus, 252, 100)
    for samples, number, subject in zip(windows.samples, windows.sessions, windows.subjects, strict=True):
        session = corpus.sessions[number]
        starts = np.flatnonzero((session.values == samples[0]).all(axis=1))
        assert any(np.array_equal(session.values[s : s + 252], samples) for s in starts)
        assert session.subject == subject


def test_training_sees_the_pictures_that_the_runtime_streams(corpus: Corpus, recipe: Recipe) -> None:
    plan = recipe.plan(corpus.rate)
    length = window_samples(plan, recipe.picture.columns)
    values = corpus.sessions[0].values
    stream = StreamingSpectrogram(plan, recipe.picture.columns)
    for start in range(0, 10 * plan.hop + length, 7):
        stream.push(values[start : min(start + 7, 10 * plan.hop + length)])
    (shown,) = pictures(values[None, 10 * plan.hop : 10 * plan.hop + length], plan)
    np.testing.assert_array_equal(shown, stack(stream.picture()))


def test_an_npz_corpus_is_read_and_pickles_are_refused(tmp_path: Path) -> None:
    arrays = {
        "acc": np.full((6, 3), 100, np.int16),
        "acc_scale": np.float64(0.01),
        "fs": np.float64(50.0),
        "label": np.array([0, 0, 1, 1, -1, -1], np.int16),
        "classes": np.array(["rest", "walk"]),
        "subject": np.array([0, 0, 0, 1, 1, 1], np.int16),
        "session": np.array([0, 0, 0, 1, 1, 1], np.int32),
        "subjects": np.array(["p", "q"]),
        "sessions": np.array(["one", "two"]),
    }
    np.savez(tmp_path / "good.npz", **arrays)
    found = read_npz(tmp_path / "good.npz")
    assert [(s.name, s.subject, len(s.values)) for s in found.sessions] == [("one", "p", 3), ("two", "q", 3)]
    np.testing.assert_allclose(found.sessions[0].values, 1.0)
    arrays["classes"] = np.array(["rest", object()], dtype=object)
    np.savez(tmp_path / "pickled.npz", **arrays)
    with pytest.raises(i2e.RecordingError, match="can be read"):
        read_npz(tmp_path / "pickled.npz")
    arrays["classes"] = np.array(["rest", "walk"])
    arrays["subject"] = np.array([0, 1, 0, 1, 1, 1], np.int16)
    np.savez(tmp_path / "mixed.npz", **arrays)
    with pytest.raises(i2e.RecordingError, match="several subjects"):
        read_npz(tmp_path / "mixed.npz")


def test_a_recipe_with_a_wrong_key_is_refused_by_its_name(tmp_path: Path, weights: Path) -> None:
    good = (weights.parents[1] / "recipes" / "shoulder.toml").read_text(encoding="utf-8")
    path = tmp_path / "r.toml"
    path.write_text(good.replace("embedding", "embedded"))
    with pytest.raises(i2e.RecordingError, match=r"unknown key 'network\.embedded'"):
        read_recipe(path)

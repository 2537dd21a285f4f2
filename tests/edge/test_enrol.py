"""Enrolment: what a profile does to a model, and what keeps a bad one out."""

from __future__ import annotations

import dataclasses
import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import img2imu_edge as i2e
from img2imu_edge.engines.onnx import OnnxEngine
from img2imu_edge.enrol import (
    Performance,
    Profile,
    Repeat,
    learn,
    new_profile,
    perform,
    personalise,
    read_profile,
    stretches,
    write_profile,
)
from img2imu_edge.enrol.profile import MOST_CLASSES, MOST_REPEATS, check_label

GRAPH = "0" * 64
LABELS = st.text(st.characters(categories=["Ll", "Nd"]), min_size=1, max_size=8).filter(
    lambda s: s != "unknown"
)
REPEATS = st.lists(
    st.builds(
        Repeat,
        embedding=st.tuples(*[st.floats(-1e3, 1e3, width=32)] * 3),
        windows=st.integers(1, 9),
    ),
    min_size=1,
    max_size=5,
)


def empty(name: str = "m") -> Profile:
    return Profile(1, name, GRAPH)


@settings(deadline=None)
@given(REPEATS, st.randoms(use_true_random=False), LABELS)
def test_the_order_of_repeats_is_of_no_meaning(repeats: list[Repeat], random: object, label: str) -> None:
    shuffled = repeats[:]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = empty(), empty()
    for repeat in repeats:
        one = one.added(label, (repeat,))
    for repeat in shuffled:
        other = other.added(label, (repeat,))
    at_once = empty().added(label, tuple(repeats))
    assert one.classes == other.classes == at_once.classes
    assert one.classes[0].mean.tobytes() == other.classes[0].mean.tobytes()


@settings(deadline=None)
@given(st.dictionaries(LABELS, REPEATS, max_size=4), LABELS, REPEATS)
def test_to_remove_takes_back_exactly_what_was_added(
    have: dict[str, list[Repeat]], label: str, repeats: list[Repeat]
) -> None:
    before = empty()
    for name, theirs in have.items():
        if name != label:
            before = before.added(name, tuple(theirs))
    after = before.added(label, tuple(repeats))
    assert after.removed(label).classes == before.classes
    assert after.undone().classes == before.classes
    assert after.removed(label).undone().classes == after.classes
    with pytest.raises(i2e.ModelError, match="nothing to undo"):
        after.undone().undone()


@settings(max_examples=30, deadline=None)
@given(profile=st.dictionaries(LABELS, REPEATS, max_size=4))
def test_a_profile_on_disk_is_the_same_profile(
    tmp_path_factory: pytest.TempPathFactory, model: i2e.Model, profile: dict[str, list[Repeat]]
) -> None:
    size = model.engine.embedding_size
    made = new_profile(model)
    for label, repeats in profile.items():
        wide = tuple(dataclasses.replace(r, embedding=(r.embedding * size)[:size]) for r in repeats)
        made = made.added(label, wide)
    path = tmp_path_factory.mktemp("profile") / "p.json"
    write_profile(path, made)
    assert read_profile(path, model) == made


@pytest.fixture(scope="module")
def performances(model: i2e.Model, recording: i2e.Recording) -> dict[str, list[Performance]]:
    return {
        label: [perform(model, recording.rate, [part]) for part in stretches(recording, label, 6.0)]
        for label in model.card.labels
    }


@pytest.fixture(scope="module")
def waving() -> i2e.Recording:
    return motion(2.0)


def motion(hertz: float, seconds: float = 40.0) -> i2e.Recording:
    rng, times = np.random.default_rng(0), np.arange(0, seconds, 0.02)
    swing = np.sin(2 * np.pi * hertz * times)
    clean = np.stack([6 * swing, 1 + 2 * swing, 9 + 0 * times, 0 * times, 0 * times, 4 * swing], axis=1)
    noise = rng.normal(size=clean.shape) * np.repeat([0.3, 0.1], 3)
    channels = ("acc_x", "acc_y", "acc_z", "gyr_x", "gyr_y", "gyr_z")
    return i2e.Recording("wave", times, (clean + noise).astype(np.float32), channels, None, 50.0)


def shown(model: i2e.Model, recording: i2e.Recording, label: str = "wave") -> list[Performance]:
    return [perform(model, recording.rate, [part]) for part in stretches(recording, label, 6.0)]


def said(model: i2e.Model, recording: i2e.Recording) -> list[str]:
    return [str(d.label) for d in i2e.classify_recording(recording, model) if d.label]


def test_a_new_class_is_recognised_and_the_known_ones_stay(
    model: i2e.Model, waving: i2e.Recording, recording: i2e.Recording, offline: list[i2e.Decision]
) -> None:
    assert set(said(model, waving)) == {"unknown"}
    lesson = learn(model, new_profile(model), "wave", shown(model, waving))
    mine = personalise(model, lesson.profile)
    assert mine.card.labels == (*model.card.labels, "wave")
    assert set(said(mine, waving)) == {"wave"}
    assert lesson.recognised == 1.0
    decisions = i2e.classify_recording(recording, mine)
    assert np.mean([a.label == b.label for a, b in zip(offline, decisions, strict=True)]) > 0.99
    answers = [d for d in decisions if d.status == "ok"]
    assert all(0 < d.confidence <= 1 and abs(sum(d.scores.values()) - 1) < 1e-6 for d in answers)


def test_what_is_strange_stays_unknown(model: i2e.Model, waving: i2e.Recording) -> None:
    mine = personalise(model, learn(model, new_profile(model), "wave", shown(model, waving)).profile)
    assert set(said(mine, motion(8.0))) == {"unknown"}


def test_nothing_enrolled_changes_nothing(model: i2e.Model) -> None:
    assert personalise(model, new_profile(model)) is model


def test_one_by_one_is_many_at_once(model: i2e.Model, waving: i2e.Recording) -> None:
    mine = personalise(model, learn(model, new_profile(model), "wave", shown(model, waving)).profile)
    windows = np.random.default_rng(0).random((3, *mine.engine.input_shape), dtype=np.float32)
    many = mine.engine.run_many(windows)
    for at, window in enumerate(windows):
        one = mine.engine.run(window)
        np.testing.assert_array_equal(one.logits, many.logits[at])
        np.testing.assert_array_equal(one.embedding, many.embedding[at])


def test_an_adapted_class_moves_towards_its_wearer(
    model: i2e.Model, performances: dict[str, list[Performance]]
) -> None:
    label = "abduction"
    profile = learn(model, new_profile(model), label, performances[label]).profile
    mine, at = personalise(model, profile), model.card.labels.index(label)
    assert mine.card.labels == model.card.labels
    before, after = model.card.decision.novelty, mine.card.decision.novelty
    assert before is not None
    assert after is not None
    mean = profile.classes[0].mean
    distance = [np.linalg.norm(mean - np.array(each.centroids[at])) for each in (before, after)]
    assert distance[1] < 0.5 * distance[0]
    others = [i for i in range(len(model.card.labels)) if i != at]
    assert [before.centroids[i] for i in others] == [after.centroids[i] for i in others]
    assert after.threshold == before.threshold


def test_the_order_of_performances_is_of_no_meaning(
    model: i2e.Model, performances: dict[str, list[Performance]]
) -> None:
    found = {
        learn(model, new_profile(model), "pendulum", order).profile.classes
        for order in itertools.permutations(performances["pendulum"])
    }
    assert len(found) == 1


def test_stillness_is_left_out(model: i2e.Model) -> None:
    still = motion(2.0)
    still = dataclasses.replace(still, values=np.float32(9.8) + 0.01 * still.values)
    found = shown(model, still)
    assert all(not len(each) and each.still for each in found)
    with pytest.raises(i2e.RecordingError, match="nothing moved"):
        learn(model, new_profile(model), "rest", found)


def test_gaps_are_left_out(model: i2e.Model, waving: i2e.Recording) -> None:
    part = next(stretches(waving, "wave", 6.0))
    keep = (part.times < 1.0) | (part.times > 4.0)
    holed = i2e.SampleBlock(part.times[keep], part.values[keep], part.channels)
    found = perform(model, 50.0, [holed])
    assert len(found) == 0
    assert found.gaps > 0
    with pytest.raises(i2e.RecordingError, match="too many samples were lost"):
        learn(model, new_profile(model), "wave", [found] * 3)


def test_samples_that_are_not_numbers_are_left_out(model: i2e.Model, waving: i2e.Recording) -> None:
    part = next(stretches(waving, "wave", 6.0))
    values = part.values.copy()
    values[::40] = np.nan
    found = perform(model, 50.0, [i2e.SampleBlock(part.times, values, part.channels)])
    assert len(found) > 0
    assert np.isfinite(found.embeddings).all()


def test_too_few_repeats_are_refused(model: i2e.Model, performances: dict[str, list[Performance]]) -> None:
    with pytest.raises(i2e.RecordingError, match=r"2 of 2 repeats .* it takes 3"):
        learn(model, new_profile(model), "pendulum", performances["pendulum"][:2])


def test_one_repeat_unlike_the_others_is_left_out(
    model: i2e.Model, performances: dict[str, list[Performance]], waving: i2e.Recording
) -> None:
    mixed = [*performances["pendulum"][:3], shown(model, waving)[0]]
    lesson = learn(model, new_profile(model), "pendulum", mixed)
    assert lesson.used == 3
    assert len(lesson.left_out) == 1
    assert lesson.left_out[0].startswith("repeat 4: unlike the others")


def test_repeats_of_different_things_are_refused(
    model: i2e.Model, performances: dict[str, list[Performance]], waving: i2e.Recording
) -> None:
    mixed = [performances["pendulum"][0], performances["abduction"][0], shown(model, waving)[0]]
    with pytest.raises(i2e.RecordingError, match="unlike the others"):
        learn(model, new_profile(model), "mine", mixed)


def test_what_is_another_class_is_refused(
    model: i2e.Model, performances: dict[str, list[Performance]]
) -> None:
    repeats = performances["abduction"]
    with pytest.raises(i2e.RecordingError, match="what 'abduction' is"):  # as it was trained
        learn(model, new_profile(model), "pendulum", repeats)
    enrolled = learn(model, new_profile(model), "abduction", repeats).profile
    for label in ("pendulum", "mine"):
        with pytest.raises(i2e.RecordingError, match="what 'abduction' is"):
            learn(model, enrolled, label, repeats)


def test_a_profile_of_another_file_is_refused(model: i2e.Model, tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    write_profile(path, new_profile(i2e.load_model("shoulder-fp32")))
    with pytest.raises(i2e.ModelError, match="another model file"):
        read_profile(path, model)


def sound(model: i2e.Model) -> dict[str, object]:
    repeat = Repeat((0.5,) * model.engine.embedding_size, 3)
    return json.loads(json.dumps(dataclasses.asdict(new_profile(model).added("wave", (repeat,)))))


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("classes", 0, "repeats", 0, "embedding", 0), float("nan"), "finite"),
        (("classes", 0, "repeats", 0, "embedding", 0), float("inf"), "finite"),
        (("classes", 0, "repeats", 0, "embedding", 0), 1e300, "beyond reason"),
        (("classes", 0, "repeats", 0, "embedding", 0), "1", "must be float"),
        (("classes", 0, "repeats", 0, "embedding"), [1.0], "size"),
        (("classes", 0, "repeats", 0, "windows"), 0, "beyond reason"),
        (("classes", 0, "repeats"), [], "1 to"),
        (("classes", 0, "repeats"), [{"embedding": [1.0], "windows": 1}] * (MOST_REPEATS + 1), "1 to"),
        (("classes", 0, "label"), "", "label"),
        (("classes", 0, "label"), "unknown", "label"),
        (("classes", 0, "label"), "\x1b[31m", "label"),
        (("classes", 0, "label"), "a" * 65, "label"),
        (("classes",), [{"label": str(i), "repeats": []} for i in range(MOST_CLASSES + 1)], "at most"),
        (("classes",), {}, "must be a list"),
        (("schema",), 2, "upgrade"),
        (("code",), "import os", "unknown key"),
    ],
)
def test_a_damaged_profile_is_refused(
    model: i2e.Model, tmp_path: Path, path: tuple[str | int, ...], value: object, message: str
) -> None:
    data: object = sound(model)
    place = data
    for step in path[:-1]:
        place = place[step]  # type: ignore[index]
    place[path[-1]] = value  # type: ignore[index]
    file = tmp_path / "p.json"
    file.write_text(json.dumps(data))
    with pytest.raises(i2e.ModelError, match=message):
        read_profile(file, model)


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff\xfe", b"[" * 100_000, b'{"schema":1}'])
def test_what_is_no_profile_is_refused(model: i2e.Model, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "p.json"
    file.write_bytes(content)
    with pytest.raises(i2e.ModelError, match="not a profile"):
        read_profile(file, model)


def test_a_file_without_end_is_not_read(model: i2e.Model, tmp_path: Path) -> None:
    file = tmp_path / "p.json"
    with file.open("wb") as hole:
        hole.truncate(1 << 33)
    with pytest.raises(i2e.ModelError, match="larger than"):
        read_profile(file, model)


def test_a_profile_holds_so_much(model: i2e.Model) -> None:
    repeat = Repeat((0.0,) * model.engine.embedding_size, 1)
    full = new_profile(model).added("wave", (repeat,) * MOST_REPEATS)
    with pytest.raises(i2e.ModelError, match="remove one first"):
        full.added("wave", (repeat,))


@pytest.mark.parametrize("label", ["", " wave", "unknown", "a\nb", "a" * 65])
def test_what_is_no_label(label: str) -> None:
    with pytest.raises(i2e.ModelError, match="no label"):
        check_label(label)


def test_a_model_that_does_not_say_where_its_classes_lie_is_refused(model: i2e.Model) -> None:
    blind = dataclasses.replace(model.card.decision, novelty=None)
    other = dataclasses.replace(model, card=dataclasses.replace(model.card, decision=blind))
    assert isinstance(model.engine, OnnxEngine)
    with pytest.raises(i2e.ModelError, match="nothing can be enrolled"):
        personalise(other, new_profile(model))

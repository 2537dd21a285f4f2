"""The measurement of enrolment measures what it says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from img2imu_training.enrolment import scored
from img2imu_training.enrolment_cases import BUDGETS, Case, see, told
from img2imu_training.enrolment_strangers import OWN, rejections, see_strangers
from img2imu_training.recipe import Recipe
from img2imu_training.recordings import Corpus, TrainingSession

from img2imu_edge.card import Novelty
from img2imu_edge.errors import TrainingError
from img2imu_edge.samples import ACCELEROMETER, STANDARD_GRAVITY


@pytest.fixture
def case() -> Case:
    """Classes 0 and 1 are known, 2 is new, 3 strange; they lie 3 apart on axes of their own."""
    rng = np.random.default_rng(0)
    centres = 3 * np.eye(4)
    labels = np.repeat(np.arange(4), 50)
    embeddings = (centres[labels] + 0.1 * rng.normal(size=(200, 4))).astype(np.float32)
    return Case(
        known=(0, 1),
        new=2,
        strange=3,
        novelty=Novelty(tuple(map(tuple, centres[:2].tolist())), (1.0,) * 4, 1.0, 0.05),
        temperature=1.0,
        repeats={label: [centres[label]] * 5 for label in range(3)},
        logits=4 * embeddings[:, :2],
        embeddings=embeddings,
        labels=labels,
    )


def test_one_draw_has_no_spread() -> None:
    assert told([0.5, 0.7]) == "60.0 ± 10.0"
    assert told([0.5, float("nan")]) == "50.0"
    assert told([float("nan")]) == "–"


def test_a_class_that_is_not_enrolled_is_never_recognised(case: Case) -> None:
    found = scored(case, "none", 0, np.random.default_rng(0))
    assert (found.new, found.known, found.false_unknown, found.rejected) == (0.0, 1.0, 0.0, 1.0)
    assert found.f1 == pytest.approx(2 / 3)


@pytest.mark.parametrize("method", ["prototype", "enrolled", "prototype + known", "enrolled + known"])
@pytest.mark.parametrize("budget", [1, 5])
def test_one_that_is_enrolled_is(case: Case, method: str, budget: int) -> None:
    found = scored(case, method, budget, np.random.default_rng(0))
    assert (found.f1, found.new, found.known, found.rejected) == (1.0, 1.0, 1.0, 1.0)
    assert found.ece < 0.05


def test_to_adapt_the_known_ones_alone_tells_nothing_of_the_new_one(case: Case) -> None:
    found = scored(case, "known alone", 5, np.random.default_rng(0))
    assert (found.new, found.known) == (0.0, 1.0)


RATE = 50.0


def moved(hertz: float, axis: int, seconds: float, rng: np.random.Generator) -> np.ndarray:
    """A swing along one axis, never twice the same."""
    time = np.arange(0, seconds, 1 / RATE)
    values = np.full((len(time), 3), STANDARD_GRAVITY / np.sqrt(3)) + 0.2 * rng.normal(size=(len(time), 3))
    swing = 4 * np.sin(2 * np.pi * hertz * rng.uniform(0.95, 1.05) * time + rng.uniform(0, 6))
    values[:, axis] += swing
    return values.astype(np.float32)


def test_strangers_stay_strange_and_the_wearers_own_are_known(quick: Recipe, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    sessions = tuple(
        TrainingSession(
            f"{person} {label}", person, moved(hertz, axis, 30, rng), np.full(1500, label, np.int16)
        )
        for person in "abcdef"
        for label, (hertz, axis) in enumerate([(0.7, 0), (1.7, 1), (3.0, 2)])
    )
    corpus = Corpus("made", RATE, ACCELEROMETER, ("slow", "brisk", "quick"), sessions, {})
    noise = rng.normal(0, 8 / 0.01, (6000, 3)).astype(np.int16)
    stranger = {
        "acc": noise, "acc_scale": 0.01, "fs": RATE, "label": np.zeros(6000, np.int16), "classes": ["noise"],
        "subject": np.zeros(6000, np.int16), "subjects": ["z"], "session": np.zeros(6000, np.int32),
        "sessions": ["z"],
    }  # fmt: skip
    for name in ("noise", "made"):
        np.savez(tmp_path / f"{name}.npz", **stranger)
    seen = see(corpus, quick)
    strange = see_strangers(seen, tmp_path, "made")
    assert {name: len(each) for name, each in strange.items()} == {"noise": len(strange["noise"])}
    found = rejections(seen, strange, 0)
    assert found.keys() == {OWN, "noise"}
    assert found[OWN].shape == found["noise"].shape == (1, 1 + len(BUDGETS))
    assert found["noise"].min() > 0.9
    assert found[OWN][:, -1].max() < 0.2
    (tmp_path / "noise.npz").unlink()
    with pytest.raises(TrainingError, match=r"no other \.npz file with the channels acc_x"):
        see_strangers(seen, tmp_path, "made")

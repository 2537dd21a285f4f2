"""The measurement of enrolment measures what it says."""

from __future__ import annotations

import numpy as np
import pytest
from img2imu_training.enrolment import Case, scored

from img2imu_edge.card import Novelty


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

import json
from dataclasses import asdict, fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from img2imu_edge.card import DecisionSpec, Novelty
from img2imu_edge.decision import Decision, DecisionMaker, softmax

LABELS = ("a", "b", "c")
NOWHERE = np.zeros(2, np.float32)


def logits(*probabilities: float) -> np.ndarray:
    return np.log(np.array(probabilities, np.float32))


@given(st.lists(st.floats(-300, 300, width=32), min_size=1, max_size=9))
def test_softmax_is_a_distribution_in_the_order_of_the_logits(values: list[float]) -> None:
    probabilities = softmax(np.array(values, np.float32))
    assert sum(probabilities) == pytest.approx(1)
    assert probabilities[int(np.argmax(values))] == max(probabilities)


def test_temperature_softens_confidence() -> None:
    sharp = DecisionMaker(DecisionSpec(), LABELS).decide(0, 1, logits(0.9, 0.05, 0.05), NOWHERE)
    soft = DecisionMaker(DecisionSpec(temperature=2), LABELS).decide(0, 1, logits(0.9, 0.05, 0.05), NOWHERE)
    assert sharp.confidence == pytest.approx(0.9, abs=1e-6)
    assert sharp.confidence > soft.confidence > 1 / 3
    assert sum(soft.scores.values()) == pytest.approx(1)


def test_smoothing_needs_more_than_one_stray_window() -> None:
    maker = DecisionMaker(DecisionSpec(smoothing=0.7), LABELS)
    steady, stray = logits(0.9, 0.05, 0.05), logits(0.05, 0.9, 0.05)
    labels = [maker.decide(0, 1, x, NOWHERE).label for x in (steady, stray, steady, stray, stray, stray)]
    assert labels == ["a", "a", "a", "a", "b", "b"]


def test_hysteresis_keeps_the_label_until_another_leads_clearly() -> None:
    maker = DecisionMaker(DecisionSpec(margin=0.2), LABELS)
    steps = [logits(0.5, 0.4, 0.1), logits(0.4, 0.5, 0.1), logits(0.3, 0.6, 0.1), logits(0.45, 0.5, 0.05)]
    decisions = [maker.decide(0, 1, step, NOWHERE) for step in steps]
    assert [d.label for d in decisions] == ["a", "a", "b", "b"]
    assert decisions[1].confidence == pytest.approx(0.4, abs=1e-6)
    maker.reset()
    assert maker.decide(0, 1, steps[0], NOWHERE).label == "a"


def test_windows_far_from_every_class_are_unknown_and_leave_the_past_alone() -> None:
    novelty = Novelty(((0.0, 0.0), (10.0, 0.0), (0.0, 10.0)), (1.0, 2.0), threshold=3.0, false_alarm=0.05)
    maker = DecisionMaker(DecisionSpec(smoothing=0.5, novelty=novelty), LABELS)
    near, far = np.array([1.0, 2.0], np.float32), np.array([40.0, -40.0], np.float32)
    assert maker.novelty(near) == pytest.approx(1.0)
    first = maker.decide(0, 1, logits(0.8, 0.1, 0.1), near)
    alien = maker.decide(0, 1, logits(0.1, 0.8, 0.1), far)
    again = maker.decide(0, 1, logits(0.8, 0.1, 0.1), near)
    assert (first.status, alien.status, again.status) == ("ok", "unknown", "ok")
    assert (alien.label, alien.confidence) == ("unknown", 0.0)
    assert again.scores == pytest.approx(first.scores)


def test_plain_data_has_every_field_that_is_known_and_is_a_copy() -> None:
    unsure = Decision(1.0, None, 0.0, 0.4, "gap")
    assert json.dumps(unsure.as_dict()) == (
        '{"time": 1.0, "label": null, "confidence": 0.0, "coverage": 0.4, "status": "gap", "scores": {}}'
    )
    sure = Decision(2.0, "a", 0.9, 1.0, "ok", {"a": 0.9, "b": 0.1}, 0.5, 3.0)
    assert sure.as_dict() == asdict(sure)
    assert list(sure.as_dict()) == [field.name for field in fields(Decision)]
    sure.as_dict()["scores"].clear()  # type: ignore[attr-defined]
    assert sure.scores == {"a": 0.9, "b": 0.1}

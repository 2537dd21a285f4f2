"""The comparison notices files that are wrong."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from img2imu_export.report import (
    EXACT,
    Bounds,
    Candidate,
    Comparison,
    Reference,
    class_f1,
    compare,
    macro,
    measure,
    timed,
)
from numpy.typing import NDArray

import img2imu_edge as i2e
from img2imu_edge.evaluation import macro_f1

GOOD = Comparison(
    file="a.onnx",
    size=1000,
    windows=200,
    max_error=0.2,
    mean_error=0.01,
    agreement=0.995,
    f1=0.9,
    float_f1=0.905,
    milliseconds=0.1,
    relative_time=1.0,
    unknown_agreement=0.999,
)


@pytest.mark.parametrize(
    ("change", "exact", "complaint"),
    [
        ({"agreement": 0.985}, False, "agrees with the network on 98.50% of 200 windows"),
        ({"agreement": float("nan")}, False, "agrees with"),
        ({"unknown_agreement": 0.98}, False, "knows from unknown"),
        ({"f1": 0.89}, False, "macro-F1 of 0.890 is 1.50 points below"),
        ({}, True, "a logit is 0.2 off"),
        ({"max_error": float("nan")}, True, "off"),
    ],
)
def test_each_bound_is_kept(change: dict[str, float], exact: bool, complaint: str) -> None:
    assert GOOD.objections(Bounds(), exact=False) == []
    (found,) = replace(GOOD, **change).objections(Bounds(), exact)  # type: ignore[arg-type]
    assert complaint in found


def test_without_labels_there_is_no_f1_to_lose() -> None:
    assert replace(GOOD, f1=None, float_f1=None).objections(Bounds(), exact=False) == []


def test_a_card_tells_nothing_of_the_machine_that_it_was_made_on() -> None:
    other = replace(GOOD, milliseconds=9.0, relative_time=3.0)
    assert GOOD.figures() == other.figures()
    rounding = replace(GOOD, max_error=5.2e-6, mean_error=8e-7)
    assert rounding.figures() == replace(rounding, max_error=7e-6, mean_error=9e-7).figures()
    assert rounding.figures()["logit_error_max"] == EXACT


def test_figures_are_those_of_the_files(shipped: Path, model: i2e.Model) -> None:
    pictures = np.random.default_rng(0).random((50, *model.engine.input_shape), np.float32)
    exact, int8 = (i2e.load_model(shipped / name).engine for name in ("shoulder-fp32.onnx", "shoulder.onnx"))
    logits = np.stack([exact.run(picture).logits for picture in pictures])
    candidates = [Candidate("a", 2, exact, pictures), Candidate("b", 1, int8, pictures)]
    same, rounded = compare(candidates, logits, logits.argmax(axis=1))
    assert (same.max_error, same.mean_error, same.agreement, same.f1, same.float_f1) == (0, 0, 1, 1, 1)
    assert same.class_f1 == same.float_class_f1
    assert (same.file, same.size, sum(same.class_windows)) == ("a", 2, 50)
    assert rounded.max_error > rounded.mean_error > 0
    assert min(same.relative_time, rounded.relative_time) == 1.0
    first, second = timed([same, rounded], candidates, baseline=1)
    assert second.relative_time == 1.0
    assert first.relative_time == pytest.approx(first.milliseconds / second.milliseconds)


def test_logits_of_another_network_are_noticed(shipped: Path, model: i2e.Model) -> None:
    pictures = np.random.default_rng(0).random((50, *model.engine.input_shape), np.float32)
    candidate = Candidate("a", 1, i2e.load_model(shipped / "shoulder.onnx").engine, pictures)
    others = np.stack([model.engine.run(picture).logits for picture in pictures])[:, ::-1]
    (comparison,) = compare([candidate], np.ascontiguousarray(others))
    assert comparison.f1 is None
    assert len(comparison.objections(Bounds(), exact=True)) == 2


@given(
    labels=hnp.arrays(np.int64, 12, elements=st.integers(0, 3)),
    said=hnp.arrays(np.int64, 12, elements=st.integers(0, 3)),
)
def test_macro_f1_is_the_runtimes(labels: NDArray[np.int64], said: NDArray[np.int64]) -> None:
    scores = class_f1(labels, np.eye(4, dtype=np.float32)[said])
    expected = macro_f1(labels.astype(str).tolist(), said.astype(str).tolist())
    assert macro(labels, scores) == pytest.approx(expected)


def test_who_is_unknown_is_compared_too(model: i2e.Model) -> None:
    pictures = np.random.default_rng(0).random((8, *model.engine.input_shape), np.float32)
    outputs = [model.engine.run(picture) for picture in pictures]
    logits, embeddings = (np.stack(part) for part in zip(*outputs, strict=True))
    shifted = embeddings.copy()
    shifted[:2] = embeddings.max() + 1
    reference = Reference(logits, None, shifted, lambda e: e[:, 0] > embeddings.max())
    assert measure(Candidate("a", 1, model.engine, pictures), reference).unknown_agreement == 0.75

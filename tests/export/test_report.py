"""The comparison notices files that are wrong."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from img2imu_export.report import Bounds, Comparison, compare

import img2imu_edge as i2e

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
)


@pytest.mark.parametrize(
    ("change", "exact", "complaint"),
    [
        ({"agreement": 0.985}, False, "agrees with the network on 98.50% of 200 windows"),
        ({"agreement": float("nan")}, False, "agrees with"),
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


def test_figures_are_those_of_the_files(shipped: Path, model: i2e.Model) -> None:
    pictures = np.random.default_rng(0).random((50, *model.engine.input_shape), np.float32)
    files = [shipped / "shoulder-fp32.onnx", shipped / "shoulder.onnx"]
    engine = i2e.load_model(files[0]).engine
    logits = np.stack([engine.run(picture).logits for picture in pictures])
    labels = logits.argmax(axis=1)
    same, int8 = compare(files, logits, pictures, labels)
    assert (same.max_error, same.mean_error, same.agreement, same.f1, same.float_f1) == (0, 0, 1, 1, 1)
    assert same.size == files[0].stat().st_size > int8.size
    assert int8.max_error > int8.mean_error > 0
    assert min(same.relative_time, int8.relative_time) == 1.0


def test_logits_of_another_network_are_noticed(shipped: Path, model: i2e.Model) -> None:
    pictures = np.random.default_rng(0).random((50, *model.engine.input_shape), np.float32)
    path = shipped / "shoulder.onnx"
    others = np.stack([model.engine.run(picture).logits for picture in pictures])[:, ::-1]
    (comparison,) = compare([path], np.ascontiguousarray(others), pictures)
    assert comparison.f1 is None
    assert len(comparison.objections(Bounds(), exact=True)) == 2

"""Kinds of quantised TFLite, from one conversion of one network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("litert_torch")

from ai_edge_litert.interpreter import Interpreter
from img2imu_export.evidence import gather
from img2imu_export.flatbuffer import tidy
from img2imu_export.litert import quantise, quantise_weights, to_tflite
from img2imu_export.smooth import smooth
from img2imu_export.targets import Trained
from img2imu_export.tflite_layers import layers

from img2imu_edge.engines.litert import LiteRtEngine
from img2imu_edge.errors import ModelError
from img2imu_edge.spectrogram import SpectrogramPlan


@pytest.fixture(scope="module")
def pictures(checkpoint: Path) -> np.ndarray:
    from img2imu_training.checkpoint import load
    from img2imu_training.windows import pictures

    _, card = load(checkpoint)
    evidence = gather(card, None, None, 64)
    return pictures(evidence.calibration, SpectrogramPlan(card.spectrogram, card.input.rate, 6))


@pytest.fixture(scope="module")
def exact(checkpoint: Path, pictures: np.ndarray) -> bytes:
    """The float file, with its names."""
    from img2imu_training.checkpoint import load

    net, card = load(checkpoint)
    trained = Trained(net, card, np.zeros((1, 250, 6), np.float32), pictures)
    return to_tflite(replace(trained, net=smooth(net, pictures)), "picture")


def edges(content: bytes) -> dict[str, str]:
    runner = Interpreter(model_content=content).get_signature_runner()
    details = {**runner.get_input_details(), **runner.get_output_details()}
    return {name: np.dtype(detail["dtype"]).name for name, detail in details.items()}


def agreement(one: bytes, other: bytes, pictures: np.ndarray) -> float:
    labels = [LiteRtEngine(tidy(c)).run_many(pictures).logits.argmax(axis=1) for c in (one, other)]
    return float(np.mean(labels[0] == labels[1]))


def test_input_and_outputs_become_integers(exact: bytes, pictures: np.ndarray) -> None:
    made = tidy(quantise(exact, pictures, "picture", edges=("input", "outputs")))
    assert edges(made) == {"picture": "int8", "logits": "int8", "embedding": "int8"}
    assert agreement(exact, made, pictures) >= 0.95


def test_weights_alone_are_a_quarter_of_the_file_and_close(exact: bytes, pictures: np.ndarray) -> None:
    made = quantise_weights(exact)
    assert set(edges(made).values()) == {"float32"}
    assert len(tidy(made)) < 0.35 * len(tidy(exact))
    assert agreement(exact, made, pictures) >= 0.95


def test_a_layer_that_is_kept_in_float_is_exact(exact: bytes, pictures: np.ndarray) -> None:
    shown = pictures[:16]
    all_of_it = dict(noise(exact, quantise(exact, pictures), shown))
    kept = dict(noise(exact, quantise(exact, pictures, keep_float=("backbone.stages.0", "project")), shown))
    assert list(all_of_it) == [*(f"backbone.stages.{n}" for n in range(4)), "project"]
    assert all(value < 60 for value in all_of_it.values())
    assert kept["backbone.stages.0"] > 100
    assert kept["project"] > all_of_it["project"]
    assert kept["backbone.stages.1"] < 60


def noise(exact: bytes, quantised: bytes, shown: np.ndarray) -> list[tuple[str, float]]:
    return [(layer.name, layer.sqnr_db) for layer in layers(exact, quantised, "picture", shown)]


def test_a_layer_that_is_not_there_is_named_with_those_that_are(exact: bytes, pictures: np.ndarray) -> None:
    with pytest.raises(ModelError, match=r"no layer 'backbone.stages.9'.*backbone\.stages\.3, project"):
        quantise(exact, pictures, keep_float=("backbone.stages.9",))

"""One recording, one model, seven ways to run it: they decide alike."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import img2imu_edge as i2e
from img2imu_edge.engines import Array, Engine, Output

if lacking := [
    name for name in ("torch", "onnxscript", "litert_torch", "seglearn") if find_spec(name) is None
]:
    pytest.skip(f"not installed: {', '.join(lacking)}", allow_module_level=True)

import torch
from img2imu_export.evidence import gather
from img2imu_export.pipeline import shown
from img2imu_export.targets import Options, Trained, find_target
from img2imu_training.checkpoint import load
from img2imu_training.network import Network

CHECKPOINT = Path(__file__).parents[2] / "training" / "weights" / "shoulder.safetensors"
PICTURE, RAW = Options(), Options(form="samples")
pytestmark = pytest.mark.timeout(400)  # six genuine conversions, on a busy machine

FLOAT = ("torch", "ONNX float32", "TFLite float32", "ONNX from samples")
INT8 = ("ONNX int8", "TFLite int8", "TFLite Micro")


class Torch:
    """The network as it was trained, behind the runtime's protocol for engines."""

    name, form = "torch", "picture"

    def __init__(self, net: Network, shape: tuple[int, ...]) -> None:
        self.net, self.input_shape = net, shape
        self.classes, self.embedding_size = net.architecture.classes, net.architecture.embedding

    def run(self, window: Array) -> Output:
        logits, embedding = self.run_many(window[None])
        return Output(logits[0], embedding[0])

    def run_many(self, windows: Array) -> Output:
        with torch.inference_mode():
            logits, embeddings = self.net(torch.from_numpy(np.array(windows)))
        return Output(logits.numpy(), embeddings.numpy())


@pytest.fixture(scope="module")
def decisions(model: i2e.Model) -> dict[str, list[i2e.Decision]]:
    """What each way decides on the demo's recording, through the same session."""
    net, card = load(CHECKPOINT)
    samples = gather(card, None, None, 256).calibration
    trained = Trained(net, card, samples, shown(card, samples, PICTURE))
    shape = trained.pictures.shape[1:]

    def made(target: str, options: Options) -> Engine | None:
        found = find_target(target)
        return found.engine(found.convert(trained, options).graph)

    engines: dict[str, Engine | None] = {
        "torch": Torch(net, shape),
        "ONNX float32": made("onnx-fp32", PICTURE),
        "ONNX int8": made("onnx-int8", PICTURE),
        "TFLite float32": made("tflite-fp32", PICTURE),
        "TFLite int8": made("tflite-int8", PICTURE),
        "ONNX from samples": made("onnx-fp32", RAW),
        "TFLite Micro": made("mcu", PICTURE),
    }
    found = {}
    for name, engine in engines.items():
        if engine is not None:
            taking = replace(model.card, input=replace(model.card.input, form=engine.form))
            found[name] = i2e.classify_recording(
                i2e.demo_recording(), replace(model, card=taking, engine=engine, golden=None)
            )
    return found


def of(decisions: dict[str, list[i2e.Decision]], name: str) -> list[i2e.Decision]:
    if name not in decisions:
        pytest.skip("TensorFlow Lite Micro's interpreter is not installed: Linux x86-64 and its Pythons only")
    return decisions[name]


@pytest.mark.parametrize("way", FLOAT[1:])
def test_every_float_way_decides_as_torch_does(way: str, decisions: dict[str, list[i2e.Decision]]) -> None:
    assert len({d.label for d in decisions["torch"]}) > 4
    for ours, wanted in zip(of(decisions, way), decisions["torch"], strict=True):
        assert (ours.time, ours.label, ours.status) == (wanted.time, wanted.label, wanted.status)
        np.testing.assert_allclose(list(ours.scores.values()), list(wanted.scores.values()), atol=1e-4)


@pytest.mark.parametrize("way", INT8)
def test_every_int8_way_agrees_on_nearly_all_decisions(
    way: str, decisions: dict[str, list[i2e.Decision]]
) -> None:
    pairs = list(zip(of(decisions, way), decisions["torch"], strict=True))
    assert np.mean([ours.label == wanted.label for ours, wanted in pairs]) >= 0.98
    scores = np.array([list(ours.scores.values()) for ours, _ in pairs if ours.scores])
    wanted = np.array([list(wanted.scores.values()) for _, wanted in pairs if wanted.scores])
    assert np.abs(scores - wanted).mean() < 0.01
    assert np.abs(scores - wanted).max() > 0  # it is another computation

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest

import img2imu_edge as i2e
from img2imu_edge.card import CARD_KEY
from img2imu_edge.engines.litert import CARD_FILE
from img2imu_edge.spectrogram import spectrogram, stack

MODELS = Path(i2e.__file__).parent / "models"
ONNX, TFLITE = MODELS / "shoulder.onnx", MODELS / "shoulder.tflite"


def rewritten(card: str | None, path: Path) -> Path:
    """The shipped ONNX file with another card, or none."""
    graph = onnx.load(ONNX)
    del graph.metadata_props[:]
    if card is not None:
        onnx.helper.set_model_props(graph, {CARD_KEY: card})
    onnx.save(graph, path)
    return path


def test_both_engines_carry_the_same_card_and_give_the_same_answers(
    recording: i2e.Recording, offline: list[i2e.Decision]
) -> None:
    onnx_model, tflite_model = i2e.load_model(ONNX), i2e.load_model(TFLITE)
    assert onnx_model.card.labels == tflite_model.card.labels
    assert onnx_model.card.input == tflite_model.card.input
    assert onnx_model.card.spectrogram == tflite_model.card.spectrogram
    other = i2e.classify_recording(recording, tflite_model)
    assert [d.time for d in other] == [d.time for d in offline]
    agreement = np.mean([a.label == b.label for a, b in zip(offline, other, strict=True)])
    assert agreement >= 0.98


def test_shipped_names_and_paths_load_the_same_file() -> None:
    assert "shoulder" in i2e.shipped_models()
    assert i2e.load_model("shoulder").path == ONNX


@pytest.mark.parametrize("source", [ONNX, TFLITE])
@pytest.mark.parametrize("keep", [0, 3, 100, 0.5, 0.98])
def test_a_truncated_file_is_refused(source: Path, keep: float, tmp_path: Path) -> None:
    content = source.read_bytes()
    path = tmp_path / source.name
    path.write_bytes(content[: int(keep * len(content)) if isinstance(keep, float) else keep])
    with pytest.raises(i2e.ModelError, match=source.name):
        i2e.load_model(path)


def test_files_that_are_not_models_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "recording.onnx"
    path.write_text("time,acc_x\n0,1\n")
    with pytest.raises(i2e.ModelError, match="neither an ONNX nor a TFLite file"):
        i2e.load_model(path)
    with pytest.raises(i2e.ModelError, match=r"shipped models are: .*shoulder"):
        i2e.load_model("no-such-model")


def test_a_model_without_a_card_is_refused(tmp_path: Path) -> None:
    with pytest.raises(i2e.ModelError, match=r"no model card \(img2imu.card\)"):
        i2e.load_model(rewritten(None, tmp_path / "bare.onnx"))
    flatbuffer = TFLITE.read_bytes()
    with zipfile.ZipFile(io.BytesIO(flatbuffer)) as archive:
        start = archive.getinfo(CARD_FILE).header_offset
    bare = tmp_path / "bare.tflite"
    bare.write_bytes(flatbuffer[:start])
    with pytest.raises(i2e.ModelError, match="no model card"):
        i2e.load_model(bare)


def test_a_foreign_onnx_file_is_refused(tmp_path: Path) -> None:
    node = onnx.helper.make_node("Relu", ["x"], ["y"])
    value = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, 3]) for name in "xy"]
    graph = onnx.helper.make_graph([node], "g", value[:1], value[1:])
    path = tmp_path / "relu.onnx"
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)]), path)
    with pytest.raises(i2e.ModelError, match="expected the input 'picture'"):
        i2e.load_model(path)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("labels", ["a", "b"], "2 labels, its network 7 outputs"),
        ("columns", 31, "its card makes pictures of"),
        ("rate", 20.0, "impossible spectrogram"),
        ("channels", ["acc_x", "acc_y", "acc_z"], "its card makes pictures of"),
    ],
)
def test_a_card_that_does_not_fit_the_network_is_refused(
    key: str, value: object, message: str, tmp_path: Path, model: i2e.Model
) -> None:
    card = json.loads(model.card.to_json())
    (card if key in card else card["input"])[key] = value
    card["decision"]["novelty"] = None
    with pytest.raises(i2e.ModelError, match=message):
        i2e.load_model(rewritten(json.dumps(card), tmp_path / "changed.onnx"))


def test_int8_equals_float_within_its_bound(recording: i2e.Recording, model: i2e.Model) -> None:
    """Stated bound: the same class on 99 % of windows, and logits within 0.5 on average."""
    reference = i2e.load_model("shoulder-fp32")
    window, order = model.window_samples, [recording.channels.index(c) for c in model.card.input.channels]
    errors, same = [], []
    for start in range(0, len(recording) - window, 100):
        samples = recording.values[start : start + window][:, order]
        picture = stack(spectrogram(samples, model.card.spectrogram, model.card.input.rate))
        exact, rounded = reference.engine.run(picture).logits, model.engine.run(picture).logits
        errors.append(np.abs(exact - rounded).mean())
        same.append(exact.argmax() == rounded.argmax())
    assert np.mean(same) >= 0.99
    assert np.mean(errors) <= 0.5

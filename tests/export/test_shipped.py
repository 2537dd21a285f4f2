"""The model files in the package: no torch and no converter needed."""

from __future__ import annotations

import hashlib
import zipfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import img2imu_edge as i2e
from img2imu_edge.container import CARD, GOLDEN, unpack
from img2imu_edge.golden import Golden
from img2imu_edge.spectrogram import spectrogram, stack

FILES = ("shoulder.onnx", "shoulder.tflite", "shoulder-fp32.onnx")
INT8 = FILES[:2]


@pytest.fixture(scope="module", params=FILES)
def file(request: pytest.FixtureRequest, shipped: Path) -> Path:
    path: Path = shipped / request.param
    return path


@pytest.fixture(scope="module")
def pictures(recording: i2e.Recording, model: i2e.Model) -> np.ndarray:
    """Every window of the demo's recording, whose person no model here was trained or calibrated on."""
    whole = stack(spectrogram(recording.values, model.card.spectrogram, recording.rate))
    width, hop = model.card.input.columns, model.card.input.hop_columns
    starts = range(0, whole.shape[2] - width + 1, hop)
    return np.stack([np.ascontiguousarray(whole[:, :, i : i + width]) for i in starts])


@pytest.fixture(scope="module")
def logits(pictures: np.ndarray, shipped: Path) -> dict[str, np.ndarray]:
    engines = {name: i2e.load_model(shipped / name).engine for name in FILES}
    return {name: np.stack([engine.run(p).logits for p in pictures]) for name, engine in engines.items()}


def test_every_file_is_small_and_loads_with_its_card(file: Path) -> None:
    model = i2e.load_model(file)
    assert file.stat().st_size < (1_500_000 if "fp32" in file.name else 230_000)
    assert model.card.name == "shoulder"
    assert len(model.card.labels) == 7
    assert model.card.license
    assert model.card.quantisation.startswith("float32" if "fp32" in file.name else "int8")


def test_no_file_was_trained_or_calibrated_on_the_demo(file: Path, recording: i2e.Recording) -> None:
    subjects = i2e.load_model(file).card.provenance["subjects"]
    assert recording.about["subject"] in subjects["kept_out"]
    assert recording.about["subject"] not in subjects["trained"]


def test_cards_differ_in_nothing_but_what_the_export_adds(shipped: Path) -> None:
    first, *others = (i2e.load_model(shipped / name).card for name in FILES)
    for card in others:
        assert card.quantisation != first.quantisation
        assert card.sha256["graph"] != first.sha256["graph"]
        same = replace(card, quantisation=first.quantisation, bounds=first.bounds, sha256=first.sha256)
        assert replace(same, metrics=trained(card)) == replace(first, metrics=trained(first))


def trained(card: i2e.ModelCard) -> dict[str, object]:
    """What was measured before the export."""
    assert "export" in card.metrics
    return {name: value for name, value in card.metrics.items() if name != "export"}


def test_every_file_carries_what_proves_it(file: Path, recording: i2e.Recording) -> None:
    parts = unpack(file.read_bytes())
    model = i2e.load_model(file)
    assert set(parts.attachments) == {CARD, GOLDEN}
    hashes = {"graph": parts.graph, GOLDEN: parts.attachments[GOLDEN]}
    assert model.card.sha256 == {name: hashlib.sha256(part).hexdigest() for name, part in hashes.items()}
    golden, bounds = Golden.from_bytes(parts.attachments[GOLDEN]), model.card.bounds
    assert bounds is not None
    assert bounds.logits <= (1e-3 if "fp32" in file.name else 0.5)
    found = model.engine.run_many(golden.pictures)
    assert np.abs(found.logits - golden.logits).max() <= bounds.logits
    np.testing.assert_array_equal(found.logits.argmax(axis=1), golden.logits.argmax(axis=1))


def test_no_file_tells_where_it_was_made(file: Path) -> None:
    content = file.read_bytes()
    assert not [mark for mark in (b"/work", b"/home", b"/tmp", b"/root", b".py") if mark in content]


@pytest.mark.parametrize("name", INT8)
def test_int8_decides_as_float_does(name: str, logits: dict[str, np.ndarray]) -> None:
    error = np.abs(logits[name] - logits["shoulder-fp32.onnx"])
    same = logits[name].argmax(axis=1) == logits["shoulder-fp32.onnx"].argmax(axis=1)
    assert len(same) > 300
    assert same.mean() >= 0.99
    assert error.mean() < 0.05
    assert error.max() < 0.5


def test_both_int8_files_decide_alike(logits: dict[str, np.ndarray]) -> None:
    onnx, litert = (logits[name] for name in INT8)
    assert (onnx.argmax(axis=1) == litert.argmax(axis=1)).mean() >= 0.99


def test_int8_streams_to_the_same_decisions_as_float(recording: i2e.Recording, shipped: Path) -> None:
    labels = {
        name: [d.label for d in i2e.classify_recording(recording, i2e.load_model(shipped / name))]
        for name in FILES
    }
    wanted = labels["shoulder-fp32.onnx"]
    assert len(set(wanted)) > 3
    for name in INT8:
        same = [a == b for a, b in zip(labels[name], wanted, strict=True)]
        assert np.mean(same) >= 0.99, name


def test_onnx_is_int8_where_the_weights_are_and_float_elsewhere(shipped: Path) -> None:
    onnx = pytest.importorskip("onnx")
    graph = onnx.load_model(shipped / "shoulder.onnx").graph
    makers = {output: node.op_type for node in graph.node for output in node.output}
    kinds = Counter(node.op_type for node in graph.node)
    assert kinds["QuantizeLinear"] >= 5
    assert kinds["DequantizeLinear"] > kinds["QuantizeLinear"]
    assert "BatchNormalization" not in kinds
    (project,) = (node for node in graph.node if "embedding" in node.output)
    assert {makers[name] for name in project.input} == {"DequantizeLinear"}
    for node in graph.node:
        if node.op_type == "Conv":
            assert {makers[name] for name in node.input} == {"DequantizeLinear"}
        if node.op_type in ("Abs", "ReduceMin", "Concat"):  # the statistics, and what brings all together
            assert not {makers.get(name) for name in node.input} & {"DequantizeLinear"}
    cells = Counter[int]()
    for initializer in graph.initializer:
        cells[initializer.data_type] += int(np.prod(initializer.dims))
    assert cells[onnx.TensorProto.INT8] > 0.9 * cells.total()
    weights = [
        onnx.numpy_helper.to_array(i) for i in graph.initializer if i.data_type == onnx.TensorProto.INT8
    ]
    assert max(int(np.abs(w.astype(int)).max()) for w in weights) <= 64  # 7 bits: right without VNNI too
    assert {value.type.tensor_type.elem_type for value in (*graph.input, *graph.output)} == {
        onnx.TensorProto.FLOAT
    }


def test_onnx_weights_have_a_scale_for_each_channel(shipped: Path) -> None:
    onnx = pytest.importorskip("onnx")
    graph = onnx.load_model(shipped / "shoulder.onnx").graph
    arrays = {i.name: onnx.numpy_helper.to_array(i) for i in graph.initializer}
    dequantised = [n.input for n in graph.node if n.op_type == "DequantizeLinear" and n.input[0] in arrays]
    convolutions = [(arrays[x], arrays[scale]) for x, scale, _ in dequantised if arrays[x].ndim == 4]
    assert len(convolutions) >= 3
    assert all(scale.shape == (weight.shape[0],) for weight, scale in convolutions)


def test_tflite_is_int8_where_the_weights_are_and_float_elsewhere(shipped: Path) -> None:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        model_path=str(shipped / "shoulder.tflite"),
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    interpreter.allocate_tensors()
    cells = Counter[str]()
    for detail in interpreter.get_tensor_details():
        cells[np.dtype(detail["dtype"]).name] += int(np.prod(detail["shape"]))
        weight = detail["quantization_parameters"]["scales"].size > 1
        assert not weight or np.dtype(detail["dtype"]).name in ("int8", "int32")  # int32: biases
    assert cells["int8"] > 0.75 * cells.total()  # weights and maps; the picture and its statistics are float
    assert interpreter.get_signature_list() == {
        "serving_default": {"inputs": ["picture"], "outputs": ["embedding", "logits"]}
    }
    edges = (*interpreter.get_input_details(), *interpreter.get_output_details())
    assert {detail["name"] for detail in edges} == {"picture", "logits", "embedding"}
    assert {np.dtype(detail["dtype"]).name for detail in edges} == {"float32"}


def test_tflite_card_opens_as_a_zip_and_its_graph_without_it(
    shipped: Path, tmp_path: Path, pictures: np.ndarray
) -> None:
    from img2imu_edge.engines.litert import LiteRtEngine

    content = (shipped / "shoulder.tflite").read_bytes()
    with zipfile.ZipFile(shipped / "shoulder.tflite") as archive:
        assert archive.testzip() is None
        entries = {entry.filename: entry for entry in archive.infolist()}
        assert set(entries) == {"img2imu.card.json", "img2imu.golden.npz"}
        entry = entries["img2imu.card.json"]
        card = i2e.ModelCard.from_json(archive.read(entry).decode())
        start = min(entry.header_offset for entry in entries.values())
    assert card == i2e.load_model(shipped / "shoulder.tflite").card
    # Every weight lies inside the flatbuffer, before the zip: the graph alone computes the same.
    alone, whole = LiteRtEngine(content[:start]), LiteRtEngine(content)
    for picture in pictures[:20]:
        np.testing.assert_array_equal(alone.run(picture).logits, whole.run(picture).logits)

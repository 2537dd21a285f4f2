from __future__ import annotations

import math
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import onnx
import pytest
from ai_edge_litert import schema_py_generated as schema
from hypothesis import example, given, settings
from hypothesis import strategies as st

import img2imu_edge as i2e
from img2imu_edge.card import ModelCard
from img2imu_edge.container import GOLDEN, Container, unpack
from img2imu_edge.engines.guard import check_onnx, check_tflite
from img2imu_edge.engines.litert import LiteRtEngine
from img2imu_edge.engines.onnx import OnnxEngine
from img2imu_edge.model import digests, open_model
from img2imu_edge.spectrogram import spectrogram, stack

MODELS = Path(i2e.__file__).parent / "models"
ONNX, TFLITE = MODELS / "shoulder.onnx", MODELS / "shoulder.tflite"
WRITTEN = Callable[[Container], Path]

HALF_A_SLOT = bytes.fromhex(
    "22000000" + "00" * 4 + "1500" + "0800" * 11 + "00" * 2 + "1a000000" + "00" * 4 + "0400000001000000"
)
"""A flatbuffer whose vtable has an odd number of bytes, and ends where external buffers would be told."""


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


def test_a_file_that_cannot_be_read_is_an_error_of_ours(tmp_path: Path) -> None:
    with pytest.raises(i2e.ModelError, match=r"cannot be read: .*; see to it that this user may read it"):
        i2e.load_model(tmp_path / ("a" * 1000))


def test_a_model_without_a_card_is_refused(parts: Container, written: WRITTEN) -> None:
    with pytest.raises(i2e.ModelError, match=r"no model card \(img2imu.card\)"):
        i2e.load_model(written(replace(parts, attachments={})))


def test_damage_anywhere_is_refused(shipped: Path, tmp_path: Path) -> None:
    """One bit in a hundred places: in weights, card, golden vectors and what holds them together."""
    content, path = shipped.read_bytes(), tmp_path / shipped.name
    for place in np.linspace(8, len(content) - 23, 100).astype(int):
        damaged = bytearray(content)
        damaged[place] ^= 1
        path.write_bytes(damaged)
        try:
            i2e.load_model(path)
        except i2e.ModelError:
            continue
        # Dates and other fields of an archive's headers, and nothing else, are nobody's business.
        assert unpack(bytes(damaged)) == unpack(content)


def test_a_changed_weight_a_changed_card_and_swapped_windows_are_told_apart(
    parts: Container, written: WRITTEN, model: i2e.Model
) -> None:
    weights = bytearray(parts.graph)
    weights[len(weights) // 2] ^= 1
    with pytest.raises(i2e.ModelError, match="its graph is not what its card was made for"):
        i2e.load_model(written(replace(parts, graph=bytes(weights))))
    assert model.golden is not None
    other = replace(model.golden, samples=-model.golden.samples).to_bytes()
    with pytest.raises(i2e.ModelError, match=r"its img2imu\.golden is not what its card was made for"):
        i2e.load_model(written(replace(parts, attachments={**parts.attachments, GOLDEN: other})))
    card = {n: v for n, v in parts.attachments.items() if n != GOLDEN}
    with pytest.raises(i2e.ModelError, match=r"its img2imu\.golden is not what"):
        i2e.load_model(written(replace(parts, attachments=card)))
    more = {**parts.attachments, "img2imu.more": b"unseen"}
    with pytest.raises(i2e.ModelError, match=r"its card tells no SHA-256 of its img2imu\.more"):
        i2e.load_model(written(replace(parts, attachments=more)))


def test_a_foreign_onnx_file_is_refused(tmp_path: Path) -> None:
    node = onnx.helper.make_node("Relu", ["x"], ["y"])
    value = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, 3]) for name in "xy"]
    graph = onnx.helper.make_graph([node], "g", value[:1], value[1:])
    path = tmp_path / "relu.onnx"
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)]), path)
    with pytest.raises(i2e.ModelError, match="no model card"):
        i2e.load_model(path)
    with pytest.raises(i2e.ModelError, match="expected the input 'picture'"):
        OnnxEngine(path.read_bytes())


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("labels", ["a", "b"], "2 labels, its network 7 outputs"),
        ("labels", ["a", "\x1b[2J"], "names must be printable"),
        ("input.columns", 31, "its card makes a picture of"),
        ("input.rate", 20.0, "impossible spectrogram"),
        ("input.rate", 1e-9, "impossible spectrogram"),
        ("input.channels", ["acc_x", "acc_y", "acc_z"], "its card makes a picture of"),
        ("input.form", "samples", r"its card makes a samples of \(250, 6\)"),
        ("input.columns", 10**9, "beyond any model of ours"),
        ("input.columns", 10**400, "'input.columns' is too large"),
        ("input.rate", 1e300, "beyond any model of ours"),
        ("input.rate", 10**400, "must be a finite number"),
        ("input.rate", math.nan, "'input.rate' must be a finite number"),
        ("spectrogram.bins", 10**8, "beyond any model of ours"),
        ("spectrogram.level_rows", 4 * 10**8, "beyond any model of ours"),
        ("spectrogram.level_rows", -8, "must not be negative"),
        ("spectrogram.frame_s", 1e12, "beyond any model of ours"),
        ("spectrogram.hop_s", 1e12, "beyond any model of ours"),
        ("spectrogram.ranges.acc.level", 0.0, "a positive level"),
        ("spectrogram.ranges.acc.high_db", -25.0, "low_db < high_db"),
        ("spectrogram.ranges.acc.high_db", math.inf, "finite number"),
        ("decision.temperature", math.inf, "finite number"),
    ],
)
def test_a_card_that_does_not_fit_or_is_absurd_is_refused(
    key: str, value: object, message: str, parts: Container, reseal: Callable[..., Container]
) -> None:
    def change(card: dict[str, Any]) -> None:
        card["decision"]["novelty"] = None
        *path, last = key.split(".")
        for name in path:
            card = card[name]
        card[last] = value

    started = time.process_time()
    with pytest.raises(i2e.ModelError, match=message):
        open_model(reseal(parts, card=change), ONNX)
    assert time.process_time() - started < 2


def test_a_card_that_is_deep_is_refused() -> None:
    with pytest.raises(i2e.ModelError, match="damaged"):
        ModelCard.from_json('{"a":' * 100_000)


def test_golden_vectors_of_another_size_are_refused(
    parts: Container, model: i2e.Model, reseal: Callable[..., Container]
) -> None:
    golden = model.golden
    assert golden is not None
    wrong = {
        "samples": replace(golden, samples=golden.samples[:, :-1]),
        "pictures": replace(golden, pictures=golden.pictures[..., :-1]),
        "logits": replace(golden, logits=golden.logits[:, :-1]),
        "embeddings": replace(golden, embeddings=golden.embeddings[:, :-1]),
    }
    for name, other in wrong.items():
        with pytest.raises(i2e.ModelError, match=f"do not fit its card: {name} of"):
            open_model(reseal(parts, golden=other.to_bytes()), ONNX)
    with pytest.raises(i2e.ModelError, match="golden vectors are damaged"):
        open_model(reseal(parts, golden=b"PK"), ONNX)


def _graph(change: Callable[[onnx.ModelProto], None]) -> bytes:
    """The shipped graph, changed."""
    graph = onnx.load_from_string(unpack(ONNX.read_bytes()).graph)
    change(graph)
    return bytes(graph.SerializeToString())


def _outside(tensor: onnx.TensorProto) -> onnx.TensorProto:
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="weights.bin")
    return tensor


def _external_weight(model: onnx.ModelProto) -> None:
    _outside(model.graph.initializer[0])


def _external_constant(model: onnx.ModelProto) -> None:
    tensor = _outside(onnx.helper.make_tensor("t", onnx.TensorProto.FLOAT, [1], [0.0]))
    model.graph.node.append(onnx.helper.make_node("Constant", [], ["unused"], value=tensor))


def _external_sparse(model: onnx.ModelProto) -> None:
    model.graph.sparse_initializer.add().values.CopyFrom(_outside(onnx.TensorProto(name="s")))


def _external_by_location_alone(model: onnx.ModelProto) -> None:
    model.graph.initializer[0].data_location = onnx.TensorProto.EXTERNAL


def _loop(model: onnx.ModelProto) -> None:
    body = onnx.helper.make_graph([], "body", [], [])
    model.graph.node.append(onnx.helper.make_node("Loop", [], ["forever"], body=body))


def _function(model: onnx.ModelProto) -> None:
    model.functions.add(name="twice", domain="")


def _plug_in(model: onnx.ModelProto) -> None:
    model.graph.node[0].domain = "com.example"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_external_weight, "weights in another file"),
        (_external_constant, "weights in another file"),
        (_external_sparse, "weights in another file"),
        (_external_by_location_alone, "weights in another file"),
        (_loop, "branches or loops"),
        (_function, "defines functions"),
        (_plug_in, "needs the plug-in 'com.example'"),
    ],
)
def test_graphs_that_reach_outside_or_run_for_ever_are_refused(
    change: Callable[[onnx.ModelProto], None], message: str, reseal: Callable[..., Container]
) -> None:
    forged = reseal(unpack(ONNX.read_bytes()), graph=_graph(change))
    with pytest.raises(i2e.ModelError, match=message):
        open_model(forged, ONNX)


def test_outputs_of_another_shape_are_refused() -> None:
    def reshape(model: onnx.ModelProto) -> None:
        last = next(node for node in model.graph.node if "logits" in node.output)
        last.output[:] = ["flat"]
        model.graph.initializer.append(onnx.helper.make_tensor("axis", onnx.TensorProto.INT64, [1], [1]))
        model.graph.node.append(onnx.helper.make_node("Unsqueeze", ["flat", "axis"], ["logits"]))
        output = next(output for output in model.graph.output if output.name == "logits")
        output.type.tensor_type.shape.dim.add().dim_value = 7
        output.type.tensor_type.shape.dim[1].dim_value = 1

    with pytest.raises(i2e.ModelError, match=r"its logits is .*, 1, 7\], which is not one of ours"):
        OnnxEngine(_graph(reshape))


def _reshaping(kind: int, shape: list[int]) -> bytes:
    """A TFLite file that gives its picture in another shape, twice."""
    model, graph, signature = schema.ModelT(), schema.SubGraphT(), schema.SignatureDefT()
    model.version, model.buffers = 3, [schema.BufferT(), schema.BufferT()]
    model.buffers[1].data = np.array(shape, np.int32).view(np.uint8)
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.RESHAPE
    code.version = 1
    tensors = [schema.TensorT() for _ in range(3)]
    for tensor, size, dtype, buffer in zip(
        tensors, ([1, 4], [len(shape)], shape), (kind, schema.TensorType.INT32, kind), (0, 1, 0), strict=True
    ):
        tensor.shape, tensor.type, tensor.buffer = np.array(size, np.int32), dtype, buffer
    operator = schema.OperatorT()
    operator.inputs, operator.outputs = np.array([0, 1], np.int32), np.array([2], np.int32)
    graph.tensors, graph.operators = tensors, [operator]
    graph.inputs, graph.outputs = np.array([0], np.int32), np.array([2], np.int32)
    signature.signatureKey, signature.subgraphIndex = "serving_default", 0
    maps = [schema.TensorMapT() for _ in range(3)]
    for named, name, index in zip(maps, ("picture", "logits", "embedding"), (0, 2, 2), strict=True):
        named.name, named.tensorIndex = name, index
    signature.inputs, signature.outputs = maps[:1], maps[1:]
    model.operatorCodes, model.subgraphs, model.signatureDefs = [code], [graph], [signature]
    builder = flatbuffers.Builder(1 << 10)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def test_tflite_outputs_of_another_shape_and_integers_without_a_step_are_refused() -> None:
    assert LiteRtEngine(_reshaping(schema.TensorType.FLOAT32, [1, 4])).classes == 4
    with pytest.raises(i2e.ModelError, match=r"its embedding is float32 of \[1, 2, 2\]"):
        LiteRtEngine(_reshaping(schema.TensorType.FLOAT32, [1, 2, 2]))
    with pytest.raises(i2e.ModelError, match="its picture is int8 of"):
        LiteRtEngine(_reshaping(schema.TensorType.INT8, [1, 4]))


def test_a_graph_that_wants_too_much_memory_is_an_error_of_ours(reseal: Callable[..., Container]) -> None:
    """What an engine can tell only when it runs."""

    def enlarge(model: onnx.ModelProto) -> None:
        shape = onnx.helper.make_tensor("enlarge.shape", onnx.TensorProto.INT64, [2], [1 << 30, 1 << 30])
        model.graph.initializer.append(shape)
        last = next(node for node in model.graph.node if "logits" in node.output)
        last.output[:] = ["enlarge.small"]
        nodes = [
            onnx.helper.make_node("ReduceMean", ["enlarge.small"], ["enlarge.mean"], keepdims=0),
            onnx.helper.make_node("Expand", ["enlarge.mean", "enlarge.shape"], ["enlarge.huge"]),
            onnx.helper.make_node("ReduceMean", ["enlarge.huge"], ["enlarge.again"], keepdims=0),
            onnx.helper.make_node("Add", ["enlarge.again", "enlarge.small"], ["logits"]),
        ]
        model.graph.node.extend(nodes)

    model = open_model(reseal(unpack(ONNX.read_bytes()), graph=_graph(enlarge)), ONNX)
    with pytest.raises(i2e.ModelError, match="loads the network but cannot run it"):
        model.engine.run(np.zeros(model.engine.input_shape, np.float32))


def test_a_tflite_graph_that_reaches_outside_or_loops_is_refused() -> None:
    def written(graph: Any) -> bytes:
        builder = flatbuffers.Builder(1 << 20)
        builder.Finish(graph.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    graph = schema.ModelT.InitFromObj(schema.Model.GetRootAs(unpack(TFLITE.read_bytes()).graph))
    group = schema.ExternalBufferGroupT()
    group.name = "weights.bin"
    graph.externalBufferGroups = [group]
    with pytest.raises(i2e.ModelError, match="weights in another file"):
        check_tflite(written(graph))
    graph.externalBufferGroups = None
    check_tflite(written(graph))
    graph.subgraphs *= 2
    with pytest.raises(i2e.ModelError, match="branches or loops"):
        check_tflite(written(graph))


@given(rest=st.binary(max_size=200))
@example(rest=HALF_A_SLOT)
def test_the_guards_take_any_bytes(rest: bytes) -> None:
    for check in (check_onnx, check_tflite):
        try:
            check(rest)
        except i2e.ModelError:
            continue


@given(changes=st.lists(st.tuples(st.integers(0, 1 << 30), st.integers(0, 255)), min_size=1, max_size=8))
@settings(max_examples=20, deadline=None, derandomize=True)
def test_a_changed_graph_whose_hashes_fit_again_gives_errors_of_ours_alone(
    changes: list[tuple[int, int]], reseal: Callable[..., Container]
) -> None:
    """What only a trusted key protects from. Not TFLite's: LiteRT may take the whole process with it."""
    parts = unpack(ONNX.read_bytes())
    graph = bytearray(parts.graph)
    for place, value in changes:
        graph[place % len(graph)] = value
    try:
        model = open_model(reseal(parts, graph=bytes(graph)), ONNX)
    except i2e.ModelError:
        return
    assert model.card.sha256["graph"] == digests(replace(parts, graph=bytes(graph)))["graph"]


def test_importing_and_loading_stay_light() -> None:
    """Neither keys nor archives nor engines come with the import."""
    code = "import sys, img2imu_edge; print([n for n in sys.argv[1:] if n in sys.modules])"
    heavy = ["zipfile", "cryptography", "onnxruntime", "ai_edge_litert", "onnx", "torch", "rich"]
    done = subprocess.run([sys.executable, "-c", code, *heavy], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


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

"""Genuine exports of a genuine checkpoint, run by the genuine engines."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
if find_spec("seglearn") is None:  # looked for, not imported: importing it needs pandas
    pytest.skip("seglearn is not installed", allow_module_level=True)

from img2imu_export.evidence import Evidence, gather  # noqa: E402
from img2imu_export.half import halve  # noqa: E402
from img2imu_export.onnx import layers, prune, to_bytes, to_onnx  # noqa: E402
from img2imu_export.pipeline import shown  # noqa: E402
from img2imu_export.quantise import prepared, quantise  # noqa: E402
from img2imu_export.report import EXACT, Bounds, Candidate, compare  # noqa: E402
from img2imu_export.targets import Converted, Options, Trained, find_target  # noqa: E402
from img2imu_training.checkpoint import load  # noqa: E402
from img2imu_training.fit import predict  # noqa: E402

from img2imu_edge.card import Form  # noqa: E402
from img2imu_edge.engines import Engine  # noqa: E402
from img2imu_edge.engines.onnx import OnnxEngine  # noqa: E402
from img2imu_edge.errors import ModelError  # noqa: E402

# The other pairs are made of the same parts, or are in `test_frontend`.
EXPORTS: list[tuple[str, Form]] = [
    ("onnx-fp32", "picture"),
    ("onnx-fp16", "picture"),
    ("onnx-int8", "samples"),
    ("tflite-int8", "samples"),
]
WINDOWS = 128
MEAN_ERROR = {"fp32": 1e-5, "fp16": 1e-3, "int8": 0.05}


@pytest.fixture(scope="module")
def evidence(checkpoint: Path) -> Evidence:
    return gather(load(checkpoint)[1], None, None, WINDOWS)


@pytest.fixture(scope="module")
def trained(checkpoint: Path, evidence: Evidence) -> Trained:
    net, card = load(checkpoint)
    return Trained(net, card, evidence.calibration, shown(card, evidence.calibration, Options()))


@pytest.fixture(scope="module")
def pictures(trained: Trained, evidence: Evidence) -> np.ndarray:
    return shown(trained.card, evidence.samples, Options())


@pytest.fixture(scope="module")
def predicted(trained: Trained, pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The network's own logits and embeddings."""
    return predict(trained.net, pictures)


@pytest.fixture(scope="module")
def convert(trained: Trained) -> Callable[[str, Form], Converted]:
    """Converts to a target by its name and form, once."""
    return cache(lambda name, form: find_target(name).convert(trained, Options(form)))


@pytest.fixture(scope="module")
def plain(trained: Trained) -> onnx.ModelProto:
    """The network as the exporter gives it, its notes included."""
    return to_onnx(trained)


@pytest.fixture(scope="module")
def traced(trained: Trained) -> onnx.ModelProto:
    """The same of the network that is quantised."""
    return to_onnx(prepared(trained))


@pytest.fixture(scope="module")
def quantised(traced: onnx.ModelProto, trained: Trained) -> onnx.ModelProto:
    return quantise(traced, trained.pictures, reduce_range=True)


@pytest.fixture(scope="module", params=EXPORTS, ids="-".join)
def exported(
    request: pytest.FixtureRequest, convert: Callable[[str, Form], Converted]
) -> tuple[str, Form, Engine]:
    name, form = request.param
    if name.startswith("tflite"):
        pytest.importorskip("litert_torch")
    engine = find_target(name).engine(convert(name, form).graph)
    assert engine is not None
    return name, form, engine


def test_calibration_and_check_are_of_different_people(trained: Trained, evidence: Evidence) -> None:
    assert evidence.people == tuple(trained.card.provenance["subjects"]["kept_out"])
    assert len(evidence.calibration) == WINDOWS
    assert len(evidence.samples) == len(evidence.labels) > 500
    calibrated = {window.tobytes() for window in evidence.calibration}
    assert not calibrated & {window.tobytes() for window in evidence.samples}


def test_an_export_decides_as_its_checkpoint_does(
    exported: tuple[str, Form, Engine],
    evidence: Evidence,
    pictures: np.ndarray,
    predicted: tuple[np.ndarray, np.ndarray],
) -> None:
    name, form, engine = exported
    given = evidence.samples if form == "samples" else pictures
    assert engine.form == form
    assert engine.input_shape == given.shape[1:]
    (comparison,) = compare([Candidate(name, 1, engine, given)], predicted[0], evidence.labels)
    kind = name.partition("-")[2]
    assert comparison.objections(Bounds(agreement=0.99, f1_loss=0.005), kind == "fp32") == []
    assert comparison.mean_error < MEAN_ERROR[kind]
    assert comparison.milliseconds > 0
    assert comparison.relative_time == 1.0


def test_embeddings_are_the_checkpoint_s(
    exported: tuple[str, Form, Engine],
    evidence: Evidence,
    pictures: np.ndarray,
    predicted: tuple[np.ndarray, np.ndarray],
) -> None:
    name, form, engine = exported
    given = evidence.samples if form == "samples" else pictures
    found, wanted = np.stack([engine.run(window).embedding for window in given[:100]]), predicted[1][:100]
    # The embedding is whitened: 1 is about the standard deviation within a class.
    bound = {"fp32": EXACT, "fp16": 0.01, "int8": 0.5}[name.partition("-")[2]]
    np.testing.assert_allclose(found, wanted, atol=bound)
    assert np.abs(found - wanted).mean() < 0.1


def test_int8_from_samples_is_the_net_from_pictures_behind_a_float_front_end(
    convert: Callable[[str, Form], Converted], quantised: onnx.ModelProto
) -> None:
    merged = onnx.load_model_from_string(convert("onnx-int8", "samples").graph)
    front = [node for node in merged.graph.node if node.name.startswith("front/")]
    rest = [node for node in merged.graph.node if not node.name.startswith("front/")]
    assert {"Conv", "Log"} <= {node.op_type for node in front}
    assert not {node.op_type for node in front} & {"QuantizeLinear", "DequantizeLinear"}
    # The nodes behind it, and every number that they hold, are those of the file that takes pictures.
    assert [node.SerializeToString() for node in rest] == [
        node.SerializeToString() for node in quantised.graph.node
    ]
    numbers = {i.name: i.SerializeToString() for i in merged.graph.initializer}
    assert {i.name: i.SerializeToString() for i in quantised.graph.initializer}.items() <= numbers.items()


def test_int8_onnx_is_made_of_what_onnx_runtime_does_fast(quantised: onnx.ModelProto) -> None:
    kinds = [node.op_type for node in quantised.graph.node]
    before = kinds[: kinds.index("Pad")]
    assert "Sub" in before  # the picture is centred
    assert "Mul" not in before  # but not doubled
    assert not {"Slice", "Unsqueeze"} & set(kinds)  # which the statistics have as the training writes them
    first = next(node for node in quantised.graph.node if node.op_type == "Conv")
    unpacked = next(node for node in quantised.graph.node if first.input[1] in node.output)
    (weight,) = (w for w in quantised.graph.initializer if w.name == unpacked.input[0])
    assert weight.dims[1] == 4


def test_tflite_from_samples_keeps_its_front_end_float(convert: Callable[[str, Form], Converted]) -> None:
    pytest.importorskip("litert_torch")
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        model_content=convert("tflite-int8", "samples").graph,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    interpreter.allocate_tensors()
    kinds = {detail["index"]: np.dtype(detail["dtype"]).name for detail in interpreter.get_tensor_details()}
    operators = interpreter._get_ops_details()
    (log,) = (k for k, operator in enumerate(operators) if operator["op_name"] == "LOG")
    first = next(k for k, operator in enumerate(operators) if operator["op_name"] == "QUANTIZE")
    assert log < first
    for operator in operators[:first]:
        values = [*operator["inputs"], *operator["outputs"]]
        assert "int8" not in {kinds[index] for index in values if index >= 0}, operator["op_name"]
    convolutions = [o for o in operators[first:] if o["op_name"] == "CONV_2D"]
    assert len(convolutions) == 4
    assert all(kinds[o["outputs"][0]] == "int8" for o in convolutions)


def test_the_same_checkpoint_gives_the_same_bytes(
    plain: onnx.ModelProto,
    traced: onnx.ModelProto,
    quantised: onnx.ModelProto,
    trained: Trained,
    convert: Callable[[str, Form], Converted],
) -> None:
    again = prune(onnx.ModelProto.FromString(plain.SerializeToString()))
    assert to_bytes(again) == convert("onnx-fp32", "picture").graph
    assert to_bytes(halve(plain)) == convert("onnx-fp16", "picture").graph
    assert to_bytes(quantise(traced, trained.pictures, True)) == to_bytes(quantised)


def test_onnx_holds_inference_only(convert: Callable[[str, Form], Converted]) -> None:
    for name, form in (("onnx-fp32", "picture"), ("onnx-int8", "samples")):
        content = convert(name, form).graph  # type: ignore[arg-type]
        model = onnx.load_model_from_string(content)
        onnx.checker.check_model(model, full_check=True)
        assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 18)]
        kinds = {node.op_type for node in model.graph.node}
        assert "Conv" in kinds
        assert not kinds & {"BatchNormalization", "Dropout", "Identity", "Constant"}
        assert not model.metadata_props
        assert not any(node.doc_string or node.metadata_props for node in model.graph.node)
        assert b".py" not in content


def test_onnx_takes_a_batch(
    convert: Callable[[str, Form], Converted], evidence: Evidence, predicted: tuple[np.ndarray, np.ndarray]
) -> None:
    import onnxruntime

    graph = convert("onnx-int8", "samples").graph
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    (found,) = session.run(["logits"], {"samples": evidence.samples[:9]})
    engine = OnnxEngine(graph)
    one_by_one = np.stack([engine.run(window).logits for window in evidence.samples[:9]])
    np.testing.assert_allclose(found, one_by_one, atol=EXACT)


def test_full_range_weights_are_a_choice(
    traced: onnx.ModelProto, quantised: onnx.ModelProto, trained: Trained
) -> None:
    def largest(model: onnx.ModelProto) -> int:
        weights = [w for w in model.graph.initializer if w.data_type == onnx.TensorProto.INT8]
        return max(int(np.abs(onnx.numpy_helper.to_array(w).astype(int)).max()) for w in weights)

    assert largest(quantised) <= 64
    assert 64 < largest(quantise(traced, trained.pictures[:32], reduce_range=False)) <= 127


def test_layers_go_by_the_network_s_names(traced: onnx.ModelProto, trained: Trained) -> None:
    found = layers(traced)
    assert set(found) <= {*dict(trained.net.named_modules()), "project.0", "project.1"}
    names = [name for name in found if name.startswith("backbone.stages.") and name.count(".") == 2]
    assert names == [f"backbone.stages.{k}" for k in range(4)]
    kinds = {node.name: node.op_type for node in traced.graph.node}
    made = [[kinds[node] for node in found[name]] for name in names]
    assert made == [["Pad", "Conv", "Relu"], *3 * [["Conv", "Relu"]]]
    assert found["backbone.stages.1.0"] == found["backbone.stages.1"][:1]
    assert [kinds[node] for node in found["project.1"]] == ["Gemm"]


def test_layers_stay_float_where_they_are_to(
    traced: onnx.ModelProto, quantised: onnx.ModelProto, trained: Trained
) -> None:
    def floats(model: onnx.ModelProto) -> set[str]:
        makers = {output: node.op_type for node in model.graph.node for output in node.output}
        heavy = [node for node in model.graph.node if node.op_type in ("Conv", "Gemm")]
        return {node.name for node in heavy if makers.get(node.input[1]) != "DequantizeLinear"}

    kept = quantise(traced, trained.pictures[:32], True, ("backbone.stages.0", "project"))
    nodes = layers(traced)
    assert floats(quantised) == set(nodes["classify"])
    _, first = nodes["backbone.stages.0.0"]
    assert floats(kept) == {first, *nodes["project.1"], *nodes["classify"]}


def test_noise_is_told_by_layer(convert: Callable[[str, Form], Converted]) -> None:
    noise = {layer.name: layer.sqnr_db for layer in convert("onnx-int8", "samples").layers}
    assert list(noise) == [*(f"backbone.stages.{k}" for k in range(4)), "project"]
    assert all(15 < decibels < 60 for decibels in noise.values())


def test_a_layer_that_is_not_there_is_named_with_those_that_are(
    traced: onnx.ModelProto, trained: Trained
) -> None:
    for made in (lambda: quantise(traced, trained.pictures, True, ["stem"]), lambda: halve(traced, ["stem"])):
        with pytest.raises(ModelError, match=r"no layer 'stem' .*: backbone, .*backbone.stages.3, project"):
            made()


def test_without_smoothing_int8_is_far_off(
    plain: onnx.ModelProto,
    trained: Trained,
    pictures: np.ndarray,
    quantised: onnx.ModelProto,
    predicted: tuple[np.ndarray, np.ndarray],
) -> None:
    def error(model: onnx.ModelProto) -> float:
        engine = OnnxEngine(to_bytes(model))
        found = np.stack([engine.run(picture).logits for picture in pictures[:200]])
        return float(np.abs(found - predicted[0][:200]).mean())

    assert error(quantise(plain, trained.pictures, True)) > 3 * error(quantised)


def test_half_halves_the_weights_alone(convert: Callable[[str, Form], Converted]) -> None:
    half, whole = (
        onnx.load_model_from_string(convert(name, "picture").graph) for name in ("onnx-fp16", "onnx-fp32")
    )
    assert len(half.SerializeToString()) < 0.52 * len(whole.SerializeToString())
    assert {value.type.tensor_type.elem_type for value in (*half.graph.input, *half.graph.output)} == {
        onnx.TensorProto.FLOAT
    }
    nodes = [node for node in half.graph.node if node.op_type != "Cast"]
    assert [node.SerializeToString() for node in nodes] == [
        node.SerializeToString() for node in whole.graph.node
    ]


def test_a_weight_beyond_half_precision_stays_float(traced: onnx.ModelProto) -> None:
    large = onnx.ModelProto.FromString(traced.SerializeToString())
    (name,) = (node.input[1] for node in large.graph.node if "embedding" in node.output)
    weight = next(i for i in large.graph.initializer if i.name == name)
    weight.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(weight) * np.float32(1e6), name))
    kinds = {i.name: i.data_type for i in halve(large).graph.initializer}
    assert kinds[name] == onnx.TensorProto.FLOAT
    assert kinds["backbone.stages.0.0.weight.half"] == onnx.TensorProto.FLOAT16


class _Unknown(torch.nn.Module):
    """What no exporter has an operator for."""

    def forward(self, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        _, values, _ = torch.linalg.svd(pictures.mean(dim=1))
        return values, values


def test_an_operator_that_the_exporter_lacks_is_one_line(trained: Trained) -> None:
    odd = Trained(_Unknown().eval(), trained.card, trained.samples, trained.pictures)  # type: ignore[arg-type]
    with pytest.raises(
        ModelError, match=r"^the ONNX exporter .*: No ONNX function found .*svd.*--to"
    ) as told:
        find_target("onnx-fp32").convert(odd, Options())
    assert "\n" not in str(told.value)


def test_a_network_of_another_shape_is_one_line(trained: Trained) -> None:
    cropped = Trained(trained.net, trained.card, trained.samples, trained.pictures[:, :, 1:])
    with pytest.raises(
        ModelError, match=r"^the ONNX exporter of torch cannot convert this network: "
    ) as told:
        find_target("onnx-fp32").convert(cropped, Options())
    assert "\n" not in str(told.value)


def test_a_newer_operator_set_than_the_runtime_has_is_one_line(
    convert: Callable[[str, Form], Converted],
) -> None:
    newer = onnx.load_model_from_string(convert("onnx-fp32", "picture").graph)
    newer.opset_import[0].version = 99
    with pytest.raises(ModelError, match=r"^ONNX Runtime cannot load it: .*opset") as told:
        OnnxEngine(to_bytes(newer))
    assert "\n" not in str(told.value)


def test_an_unknown_target_is_named_with_those_that_exist() -> None:
    with pytest.raises(ValueError, match="no target is called 'onnx-int4'; there are: onnx-fp32"):
        find_target("onnx-int4")

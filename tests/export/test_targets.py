"""Genuine exports of a genuine checkpoint, run by the genuine engines."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import img2imu_edge as i2e

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
if find_spec("seglearn") is None:  # looked for, not imported: importing it needs pandas
    pytest.skip("seglearn is not installed", allow_module_level=True)

from img2imu_export.evidence import Evidence, gather  # noqa: E402
from img2imu_export.quantise import quantise  # noqa: E402
from img2imu_export.report import EXACT, Bounds, compare  # noqa: E402
from img2imu_export.targets import Trained, find_target, target_names  # noqa: E402
from img2imu_training.checkpoint import load  # noqa: E402
from img2imu_training.fit import predict  # noqa: E402


@pytest.fixture(scope="module")
def evidence(checkpoint: Path) -> Evidence:
    return gather(load(checkpoint)[1], None, None, 256)


@pytest.fixture(scope="module")
def trained(checkpoint: Path, evidence: Evidence) -> Trained:
    return Trained(*load(checkpoint), evidence.calibration)


@pytest.fixture(scope="module")
def logits(trained: Trained, evidence: Evidence) -> np.ndarray:
    return predict(trained.net, evidence.pictures)[0]  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def export(trained: Trained) -> Callable[[str], bytes]:
    """Exports to a target by its name, once."""
    return cache(lambda name: find_target(name).export(trained))


@pytest.fixture(scope="module", params=target_names())
def exported(
    request: pytest.FixtureRequest, export: Callable[[str], bytes], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    if request.param.startswith("tflite"):
        pytest.importorskip("litert_torch")
    path: Path = tmp_path_factory.mktemp("exported") / f"exercises{find_target(request.param).suffix}"
    path.write_bytes(export(request.param))
    return path


def test_calibration_and_check_are_of_different_people(trained: Trained, evidence: Evidence) -> None:
    assert evidence.people == tuple(trained.card.provenance["subjects"]["kept_out"])
    assert len(evidence.calibration) == 256
    assert len(evidence.pictures) == len(evidence.labels) > 500
    calibrated = {picture.tobytes() for picture in evidence.calibration}
    assert not calibrated & {picture.tobytes() for picture in evidence.pictures}


def test_an_export_decides_as_its_checkpoint_does(
    exported: Path, evidence: Evidence, logits: np.ndarray
) -> None:
    (comparison,) = compare([exported], logits, evidence.pictures, evidence.labels)
    exact = "fp32" in exported.name
    assert comparison.objections(Bounds(agreement=0.99, f1_loss=0.005), exact) == []
    assert comparison.mean_error < (1e-5 if exact else 0.05)
    assert comparison.milliseconds > 0
    assert comparison.relative_time == 1.0


def test_embeddings_are_the_checkpoint_s(exported: Path, trained: Trained, evidence: Evidence) -> None:
    engine = i2e.load_model(exported).engine
    _, wanted = predict(trained.net, evidence.pictures[:100])  # type: ignore[arg-type]
    found = np.stack([engine.run(picture).embedding for picture in evidence.pictures[:100]])
    # The embedding is whitened: 1 is about the standard deviation within a class.
    np.testing.assert_allclose(found, wanted, atol=EXACT if "fp32" in exported.name else 0.5)
    assert np.abs(found - wanted).mean() < 0.1


def test_the_same_checkpoint_gives_the_same_bytes(trained: Trained, export: Callable[[str], bytes]) -> None:
    assert find_target("onnx-int8").export(trained) == export("onnx-int8")


def test_onnx_holds_inference_only(export: Callable[[str], bytes]) -> None:
    content = export("onnx-fp32")
    model = onnx.load_model_from_string(content)
    onnx.checker.check_model(model, full_check=True)
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 18)]
    kinds = {node.op_type for node in model.graph.node}
    assert "Conv" in kinds
    assert not kinds & {"BatchNormalization", "Dropout", "Identity", "Constant"}
    assert [entry.key for entry in model.metadata_props] == ["img2imu.card"]
    assert not any(node.doc_string or node.metadata_props for node in model.graph.node)
    assert b".py" not in content


def test_onnx_takes_a_batch(export: Callable[[str], bytes], evidence: Evidence, logits: np.ndarray) -> None:
    import onnxruntime

    session = onnxruntime.InferenceSession(export("onnx-fp32"), providers=["CPUExecutionProvider"])
    (found,) = session.run(["logits"], {"picture": evidence.pictures[:9]})
    np.testing.assert_allclose(found, logits[:9], atol=EXACT)


def test_full_range_weights_are_a_choice(evidence: Evidence, export: Callable[[str], bytes]) -> None:
    def largest(content: bytes) -> int:
        weights = onnx.load_model_from_string(content).graph.initializer
        arrays = [onnx.numpy_helper.to_array(w) for w in weights if w.data_type == onnx.TensorProto.INT8]
        return max(int(np.abs(array.astype(int)).max()) for array in arrays)

    model = onnx.load_model_from_string(export("onnx-fp32"))
    assert largest(quantise(model, evidence.calibration, reduce_range=True)) <= 64
    assert 64 < largest(quantise(model, evidence.calibration, reduce_range=False)) <= 127


def test_without_smoothing_int8_is_far_off(
    evidence: Evidence, export: Callable[[str], bytes], logits: np.ndarray
) -> None:
    import onnxruntime

    def error(content: bytes) -> float:
        session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
        (found,) = session.run(["logits"], {"picture": evidence.pictures[:200]})
        return float(np.abs(found - logits[:200]).mean())

    rough = quantise(onnx.load_model_from_string(export("onnx-fp32")), evidence.calibration, True)
    assert error(rough) > 3 * error(export("onnx-int8"))


def test_an_unknown_target_is_named_with_those_that_exist() -> None:
    with pytest.raises(ValueError, match="no target is called 'coreml'; there are: onnx-fp32"):
        find_target("coreml")

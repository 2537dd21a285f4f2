"""ExecuTorch programs of a genuine checkpoint, run by ExecuTorch's own runtime, where that is installed."""

from __future__ import annotations

import hashlib
import io
import sys
import zipfile
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec

import numpy as np
import pytest
from img2imu_export.executorch import ExecuTorchEngine, ExecuTorchFloat, ExecuTorchInt8
from img2imu_export.seal import complete, golden
from img2imu_export.targets import FLOAT, Converted, Options, Trained

from img2imu_edge.card import Form, ModelCard
from img2imu_edge.container import GOLDEN
from img2imu_edge.errors import MissingExtraError, ModelError
from img2imu_edge.golden import Golden

INSTALLED = find_spec("executorch") is not None
needs_executorch = pytest.mark.skipif(
    not INSTALLED, reason="ExecuTorch is not installed: the executorch extra"
)
FORMS: tuple[Form, ...] = ("picture", "samples")


@pytest.fixture(scope="module")
def vectors(trained: Trained, evidence: object) -> Golden:
    return golden(trained.net, trained.card, evidence.samples)  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def logits(trained: Trained) -> np.ndarray:
    from img2imu_training.fit import predict

    return predict(trained.net, trained.pictures)[0]


@pytest.fixture(scope="module")
def convert(trained: Trained) -> Callable[[type, Form], Converted]:
    """Converts once."""
    return cache(lambda target, form: target().convert(trained, Options(form)))


@needs_executorch
@pytest.mark.parametrize("form", FORMS)
def test_the_float_program_computes_what_was_trained(
    form: Form, convert: Callable[[type, Form], Converted], vectors: Golden
) -> None:
    made = convert(ExecuTorchFloat, form)
    engine = ExecuTorchEngine(made.graph)
    windows = vectors.pictures if form == "picture" else vectors.samples
    found = engine.run_many(windows)
    assert made.quantisation == FLOAT
    assert (engine.form, engine.input_shape) == (form, windows.shape[1:])
    assert (engine.classes, engine.embedding_size) == (vectors.logits.shape[1], vectors.embeddings.shape[1])
    np.testing.assert_allclose(found.logits, vectors.logits, atol=1e-4)
    np.testing.assert_allclose(found.embedding, vectors.embeddings, atol=1e-3)


@needs_executorch
@pytest.mark.parametrize("form", FORMS)
def test_the_int8_program_is_small_and_decides_alike(
    form: Form, convert: Callable[[type, Form], Converted], trained: Trained, logits: np.ndarray
) -> None:
    made = convert(ExecuTorchInt8, form)
    found = ExecuTorchEngine(made.graph).run_many(trained.shown(form)).logits
    # A quarter of the weights' bytes, and what describes the program.
    assert len(made.graph) < 0.4 * len(convert(ExecuTorchFloat, form).graph)
    assert made.quantisation.startswith("int8")
    assert (found.argmax(axis=1) == logits.argmax(axis=1)).mean() >= 0.97
    assert np.abs(found - logits).mean() < 0.1
    assert np.abs(found - logits).max() > 1e-3  # it was quantised


@needs_executorch
def test_a_layer_can_stay_float(trained: Trained, convert: Callable[[type, Form], Converted]) -> None:
    kept = ExecuTorchInt8().convert(trained, Options(keep_float=("project",)))
    weights = trained.net.project.weight.numel()
    assert "project" in kept.quantisation.rpartition(";")[2]
    assert len(kept.graph) > len(convert(ExecuTorchInt8, "picture").graph) + 2.5 * weights


@needs_executorch
def test_card_and_golden_vectors_travel_behind_a_program_that_runs(
    trained: Trained, convert: Callable[[type, Form], Converted], vectors: Golden
) -> None:
    made = convert(ExecuTorchFloat, "picture")
    card = complete(trained.card, made, "picture", vectors, 1e-3, {})
    ((name, content),) = ExecuTorchFloat().files("exercises", made.graph, card, vectors).items()
    assert name == "exercises-fp32.pte"
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert ModelCard.from_json(archive.read("img2imu.card.json").decode()) == card
        attached = archive.read("img2imu.golden.npz")
        start = min(entry.header_offset for entry in archive.infolist())
    assert hashlib.sha256(attached).hexdigest() == card.sha256[GOLDEN]
    assert hashlib.sha256(content[:start]).hexdigest() == card.sha256["graph"]
    whole, alone = ExecuTorchEngine(content), ExecuTorchEngine(content[:start])
    for picture, wanted in zip(Golden.from_bytes(attached).pictures, vectors.logits, strict=True):
        np.testing.assert_array_equal(whole.run(picture).logits, alone.run(picture).logits)
        np.testing.assert_allclose(whole.run(picture).logits, wanted, atol=1e-3)


@needs_executorch
def test_the_same_network_gives_the_same_bytes_which_tell_nothing_of_the_machine(
    trained: Trained, convert: Callable[[type, Form], Converted]
) -> None:
    first = convert(ExecuTorchFloat, "picture").graph
    assert ExecuTorchFloat().convert(trained, Options()).graph == first
    assert not [mark for mark in (b"/home", b"/tmp", b"/root", b".py") if mark in first]


@needs_executorch
@pytest.mark.parametrize("damage", [lambda graph: graph[: len(graph) // 2], lambda graph: b"x" * len(graph)])
def test_a_damaged_program_is_an_error(
    damage: Callable[[bytes], bytes], convert: Callable[[type, Form], Converted]
) -> None:
    with pytest.raises(ModelError, match="ExecuTorch cannot load it"):
        ExecuTorchEngine(damage(convert(ExecuTorchFloat, "picture").graph))


@pytest.mark.skipif(INSTALLED, reason="ExecuTorch is installed")
@pytest.mark.parametrize("target", [ExecuTorchFloat, ExecuTorchInt8])
def test_without_executorch_the_extra_is_named(
    target: type[ExecuTorchFloat | ExecuTorchInt8], trained: Trained
) -> None:
    assert "executorch" not in sys.modules
    with pytest.raises(MissingExtraError, match=r"needs executorch.*'img2imu-edge\[executorch\]'"):
        target().convert(trained, Options())
    assert target().engine(b"") is None

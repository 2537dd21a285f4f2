"""Core ML packages of a genuine checkpoint, as far as they can be checked without a Mac.

Core ML itself runs on macOS alone. Elsewhere the package as written is read back, weights from its own file,
and its program evaluated in NumPy by the operators' reference: what is checked is the program, not Core ML.
"""

from __future__ import annotations

import base64
import hashlib
import json
import sys
from collections import Counter
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from img2imu_export.coreml import CoreMl, bare, unzipped, zipped
from img2imu_export.seal import complete, golden
from img2imu_export.targets import FLOAT, Converted, Options, Trained

from img2imu_edge.card import Form, ModelCard
from img2imu_edge.container import CARD, GOLDEN
from img2imu_edge.errors import MissingExtraError, ModelError
from img2imu_edge.golden import Golden

from . import mil

INSTALLED = find_spec("coremltools") is not None
needs_coremltools = pytest.mark.skipif(not INSTALLED, reason="coremltools is not installed: the coreml extra")
needs_macos = pytest.mark.skipif(sys.platform != "darwin", reason="Core ML predicts on macOS alone")
FORMS: tuple[Form, ...] = ("picture", "samples")


@pytest.fixture(scope="module")
def vectors(trained: Trained, evidence: object) -> Golden:
    return golden(trained.net, trained.card, evidence.samples)  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def convert(trained: Trained) -> Callable[[Form], Converted]:
    """Converts once."""
    return cache(lambda form: CoreMl().convert(trained, Options(form)))


@pytest.fixture(scope="module", params=FORMS)
def form(request: pytest.FixtureRequest) -> Form:
    found: Form = request.param
    return found


@pytest.fixture
def card(form: Form, trained: Trained, convert: Callable[[Form], Converted], vectors: Golden) -> ModelCard:
    return complete(trained.card, convert(form), form, vectors, 1e-3, {})


@pytest.fixture
def package(
    form: Form, card: ModelCard, convert: Callable[[Form], Converted], vectors: Golden, tmp_path: Path
) -> Path:
    """A package as an export writes it."""
    for path, content in CoreMl().files("exercises", convert(form).graph, card, vectors).items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    return tmp_path / "exercises.mlpackage"


@needs_coremltools
def test_the_program_computes_what_was_trained(form: Form, package: Path, vectors: Golden) -> None:
    program = mil.load(package)
    windows = vectors.pictures if form == "picture" else vectors.samples
    for window, logits, embedding in zip(windows, vectors.logits, vectors.embeddings, strict=True):
        found = mil.evaluate(program, **{form: window[None]})
        assert found.keys() == {"logits", "embedding"}
        np.testing.assert_allclose(found["logits"][0], logits, atol=1e-4)
        np.testing.assert_allclose(found["embedding"][0], embedding, atol=1e-3)


@needs_coremltools
def test_the_program_is_float32_with_batch_normalisation_folded(
    form: Form, package: Path, trained: Trained
) -> None:
    program = mil.load(package).functions["main"]
    kinds = Counter(op.op_type for op in program.operations if op.op_type != "const")
    assert kinds["conv"] == 4 + (form == "samples")
    assert kinds["linear"] == 2
    assert kinds["log"] == (form == "samples")
    assert not {"batch_norm", "cast"} & kinds.keys()
    dtypes = {out.dtype.__name__ for op in program.operations for out in op.outputs if op.op_type != "const"}
    assert dtypes == {"fp32"}
    (project,) = (op for op in program.operations if op.outputs[0].name == "embedding")
    np.testing.assert_array_equal(project.weight.val, trained.net.project.weight.detach().numpy())


@needs_coremltools
def test_an_app_finds_shape_card_and_golden_vectors_in_the_model(
    form: Form, package: Path, card: ModelCard, vectors: Golden
) -> None:
    from coremltools.models.utils import load_spec

    spec = load_spec(str(package))
    assert spec.specificationVersion == 7  # iOS 16, macOS 13
    (taken,) = spec.description.input
    shape = (vectors.pictures if form == "picture" else vectors.samples).shape[1:]
    assert (taken.name, tuple(taken.type.multiArrayType.shape)) == (form, (1, *shape))
    metadata = spec.description.metadata
    assert ModelCard.from_json(metadata.userDefined[CARD]) == card
    assert (metadata.shortDescription, metadata.license) == (card.description, card.license)
    sealed = base64.b64decode(metadata.userDefined[GOLDEN])
    assert hashlib.sha256(sealed).hexdigest() == card.sha256[GOLDEN]
    np.testing.assert_array_equal(Golden.from_bytes(sealed).logits, vectors.logits)


@needs_coremltools
def test_the_card_s_hash_is_of_the_package_without_its_card(package: Path, card: ModelCard) -> None:
    paths = [path for path in package.rglob("*") if path.is_file()]
    members = {path.relative_to(package).as_posix(): path.read_bytes() for path in paths}
    assert hashlib.sha256(bare(members)).hexdigest() == card.sha256["graph"]


@needs_coremltools
def test_the_same_network_gives_the_same_bytes_which_tell_nothing_of_the_machine(
    trained: Trained, convert: Callable[[Form], Converted]
) -> None:
    graph = convert("picture").graph
    assert convert("picture").quantisation == FLOAT
    assert CoreMl().convert(trained, Options()).graph == graph
    assert not [mark for mark in (b"/home", b"/tmp", b"/root", b".py") if mark in graph]
    members = unzipped(graph)
    manifest = json.loads(members["Manifest.json"])
    assert {f"Data/{entry['path']}" for entry in manifest["itemInfoEntries"].values()} == {
        "Data/com.apple.CoreML/model.mlmodel",
        "Data/com.apple.CoreML/weights",
    }
    assert manifest["rootModelIdentifier"] in manifest["itemInfoEntries"]
    assert members.keys() == {
        "Manifest.json",
        "Data/com.apple.CoreML/model.mlmodel",
        "Data/com.apple.CoreML/weights/weight.bin",
    }


@needs_coremltools
@needs_macos
def test_core_ml_computes_what_was_trained(
    form: Form, convert: Callable[[Form], Converted], vectors: Golden
) -> None:
    engine = CoreMl().engine(convert(form).graph)
    assert engine is not None
    found = engine.run_many(vectors.pictures if form == "picture" else vectors.samples)
    np.testing.assert_allclose(found.logits, vectors.logits, atol=1e-3)


@needs_coremltools
@pytest.mark.skipif(sys.platform == "darwin", reason="this is macOS")
def test_elsewhere_than_on_macos_nothing_runs_it(convert: Callable[[Form], Converted]) -> None:
    assert CoreMl().engine(convert("picture").graph) is None


@pytest.mark.parametrize("content", [b"", b"no zip", zipped({"Manifest.json": b"{}"})])
def test_what_is_no_package_is_an_error(content: bytes) -> None:
    with pytest.raises(ModelError, match="Core ML package"):
        unzipped(content)


@pytest.mark.skipif(INSTALLED, reason="coremltools is installed")
def test_without_coremltools_the_extra_is_named(trained: Trained) -> None:
    with pytest.raises(MissingExtraError, match=r"needs coremltools.*'img2imu-edge\[coreml\]'"):
        CoreMl().convert(trained, Options())

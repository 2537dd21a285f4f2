"""Trained network to Core ML: an ML program in float32, in a package that iOS 16 and macOS 13 read.

float32, for the floor of the powers, 1e-12 in a front-end in the graph, is nothing in the Neural Engine's
float16, and a network this small is fast on any unit. A package is a folder; where one file is wanted, it is
a zip of it.
"""

from __future__ import annotations

import base64
import io
import json
import sys
import tempfile
import uuid
import zipfile
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, cast, get_args

import numpy as np

from img2imu_edge.card import Form, ModelCard
from img2imu_edge.container import CARD, GOLDEN
from img2imu_edge.engines import Array, Engine, Output
from img2imu_edge.errors import ModelError
from img2imu_edge.golden import Golden
from img2imu_export.extras import need
from img2imu_export.quiet import quiet
from img2imu_export.targets import Converted, Options, Trained

_EXTRA = "coreml"
_MANIFEST = "Manifest.json"
_SPECIFICATION = "Data/com.apple.CoreML/model.mlmodel"
_DATE = "com.github.apple.coremltools.conversion_date"

_NAMESPACE = uuid.UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")
"""Of names that are URLs (RFC 4122, appendix C): identifiers in a manifest follow from the paths."""


@dataclass(frozen=True)
class CoreMl:
    """float32 Core ML."""

    suffix: str = ".mlpackage"
    exact: bool = True

    def convert(self, trained: Trained, options: Options) -> Converted:
        """The network as an ML program.

        Raises:
            MissingExtraError: If torch or coremltools is not installed.
        """
        torch = need("torch")
        net = need("img2imu_export.frontend").in_form(trained, options.form)
        example = torch.zeros(1, *trained.shown(options.form).shape[1:])
        with quiet(), tempfile.TemporaryDirectory() as folder:
            ct = need("coremltools", _EXTRA)
            program = torch.export.export(net, (example,)).run_decompositions({})
            model = ct.convert(
                program,
                convert_to="mlprogram",
                minimum_deployment_target=ct.target.iOS16,
                compute_precision=ct.precision.FLOAT32,
                inputs=[ct.TensorType(name=options.form, shape=tuple(example.shape))],
                outputs=[ct.TensorType("logits"), ct.TensorType("embedding")],
                skip_model_load=True,
            )
            package = Path(folder) / "model.mlpackage"
            model.save(str(package))
            return Converted(zipped(_members(package)))

    def engine(self, graph: bytes) -> Engine | None:
        """Core ML itself, which is on macOS alone."""
        return CoreMlEngine(graph) if sys.platform == "darwin" else None

    def files(self, name: str, graph: bytes, card: ModelCard, golden: Golden) -> dict[str, bytes]:
        """The package's members, with card and golden vectors in the model's own metadata.

        An app reads them as `MLModel.modelDescription.metadata[.creatorDefinedKey]`: the card as JSON, the
        golden vectors in base64.
        """
        members = unzipped(graph)
        specification = _parsed(members[_SPECIFICATION])
        metadata = specification.description.metadata
        metadata.shortDescription, metadata.license = card.description, card.license
        metadata.userDefined[CARD] = card.to_json()
        metadata.userDefined[GOLDEN] = base64.b64encode(golden.to_bytes()).decode("ascii")
        members[_SPECIFICATION] = specification.SerializeToString(deterministic=True)
        return {f"{name}{self.suffix}/{path}": content for path, content in members.items()}


class CoreMlEngine:
    """A network in a Core ML package, run on the CPU, on macOS.

    Nothing here was run when it was written: it follows coremltools' reference for `MLModel.predict`.

    Args:
        graph: The package, as a zip from `zipped`.

    Raises:
        MissingExtraError: If coremltools is not installed.
        ModelError: If it is not a model of ours, or Core ML cannot load it.
    """

    name: str = "Core ML"
    form: Form
    input_shape: tuple[int, ...]
    classes: int
    embedding_size: int

    def __init__(self, graph: bytes) -> None:
        ct = need("coremltools", _EXTRA)
        members = unzipped(graph)
        description = _parsed(members[_SPECIFICATION]).description
        inputs = {feature.name: feature.type.multiArrayType for feature in description.input}
        form = next((form for form in get_args(Form) if set(inputs) == {form}), None)
        if form is None:
            raise ModelError(f"it is a Core ML package, but not one of ours: it takes {', '.join(inputs)}")
        self.form = cast(Form, form)
        self.input_shape = tuple(int(n) for n in inputs[form].shape[1:])
        self._folder = tempfile.TemporaryDirectory(suffix=".mlpackage")
        for path, content in members.items():
            target = Path(self._folder.name) / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        try:
            self._model: Any = ct.models.MLModel(self._folder.name, compute_units=ct.ComputeUnit.CPU_ONLY)
        except RuntimeError as error:
            raise ModelError(f"Core ML cannot load it: {error}") from error
        self._lock = Lock()
        zeros = np.zeros(self.input_shape, np.float32)
        self.classes, self.embedding_size = (len(part) for part in self.run(zeros))

    def run(self, window: Array) -> Output:
        """Run the network on one picture or one window of samples, float32."""
        with self._lock:
            found = self._model.predict({self.form: window[None]})
        return Output(found["logits"][0], found["embedding"][0])

    def run_many(self, windows: Array) -> Output:
        """Run it on several, one after the other: the graph takes one."""
        found = [self.run(window) for window in windows]
        return Output(np.stack([o.logits for o in found]), np.stack([o.embedding for o in found]))


def zipped(members: dict[str, bytes]) -> bytes:
    """A package as one file, the same bytes for the same members: stored, dated 1980, in order."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for path in sorted(members):
            archive.writestr(zipfile.ZipInfo(path), members[path])
    return file.getvalue()


def unzipped(graph: bytes) -> dict[str, bytes]:
    """A package's members by their path within it; the way back from `zipped`.

    Raises:
        ModelError: If it is no package.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(graph)) as archive:
            members = {path: archive.read(path) for path in archive.namelist()}
    except zipfile.BadZipFile as error:
        raise ModelError(f"it is no zip of a Core ML package: {error}") from error
    if not {_MANIFEST, _SPECIFICATION} <= members.keys():
        raise ModelError(f"it is no Core ML package: it lacks {_MANIFEST} or {_SPECIFICATION}")
    return members


def bare(members: dict[str, bytes]) -> bytes:
    """A package without its card and golden vectors, as `zipped`: what a card's hash of the graph is of.

    Args:
        members: By their path within the package.
    """
    specification = _parsed(members[_SPECIFICATION])
    metadata = specification.description.metadata
    metadata.shortDescription = metadata.license = ""
    for name in (CARD, GOLDEN, _DATE):
        metadata.userDefined.pop(name, None)
    return zipped({**members, _SPECIFICATION: specification.SerializeToString(deterministic=True)})


def _members(package: Path) -> dict[str, bytes]:
    """A saved package's members, less what changes from one conversion to the next."""
    manifest = json.loads((package / _MANIFEST).read_bytes())
    paths = [path for path in (package / "Data").rglob("*") if path.is_file()]
    members = {path.relative_to(package).as_posix(): path.read_bytes() for path in paths}
    renamed = {key: _identifier(entry["path"]) for key, entry in manifest["itemInfoEntries"].items()}
    manifest["rootModelIdentifier"] = renamed[manifest["rootModelIdentifier"]]
    entries = {renamed[key]: entry for key, entry in manifest["itemInfoEntries"].items()}
    manifest["itemInfoEntries"] = dict(sorted(entries.items()))
    members[_MANIFEST] = json.dumps(manifest, indent=4, sort_keys=True).encode("utf-8")
    return unzipped(bare(members))


def _identifier(path: str) -> str:
    return str(uuid.uuid5(_NAMESPACE, path))


def _parsed(content: bytes) -> Any:
    """A specification, `Model.proto`."""
    with quiet():
        model = need("coremltools", _EXTRA).proto.Model_pb2.Model()
    model.ParseFromString(content)
    return model

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

import img2imu_edge
from img2imu_edge.card import SCHEMA, DecisionSpec, InputSpec, ModelCard
from img2imu_edge.spec import SpectrogramSpec
from img2imu_edge.spectrogram import SpectrogramPlan

if TYPE_CHECKING:
    from img2imu_export.evidence import Evidence
    from img2imu_export.targets import Trained

MODELS = Path(img2imu_edge.__file__).parent / "models"
KEPT_OUT = "10"
COLUMNS, HOP = 35, 5


@pytest.fixture(scope="session")
def shipped() -> Path:
    """Where the shipped model files lie."""
    return MODELS


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small network that knows SPAR's exercises, with fresh convolutions and a head in closed form.

    Its values have the ranges of a trained one's, which is what an export is about: batch normalisation has
    seen real pictures, and the head leans on small features as much as on large ones.
    """
    torch = pytest.importorskip("torch")
    linear_model = pytest.importorskip("sklearn.linear_model")
    if find_spec("seglearn") is None:  # looked for, not imported: importing it needs pandas
        pytest.skip("seglearn is not installed")
    from img2imu_training import spar
    from img2imu_training.checkpoint import save
    from img2imu_training.network import Architecture, Network
    from img2imu_training.windows import cut, pictures, window_samples

    corpus = spar.load()
    spec = SpectrogramSpec.preset("motion")
    plan = SpectrogramPlan(spec, corpus.rate, 6)
    people = tuple(name for name in corpus.subjects if name != KEPT_OUT)
    windows = cut(corpus.of(people), window_samples(plan, COLUMNS), 8 * HOP * plan.hop)
    shown = torch.from_numpy(pictures(windows.samples, plan))

    torch.manual_seed(0)
    net = Network(Architecture("tiny", len(corpus.classes), 2, plan.rows, spec.level_rows, COLUMNS, 24))
    with torch.no_grad():
        for layer in net.modules():
            if isinstance(layer, torch.nn.BatchNorm2d):
                layer.momentum = None  # the mean of all batches
                layer.weight.uniform_(0.5, 1.5)
                layer.bias.uniform_(-0.5, 0.5)
        net.train()
        for batch in shown[torch.randperm(len(shown))[:384]].split(128):
            net.backbone(batch)
        net.eval()
        seen = torch.cat([net.features(batch) for batch in shown.split(256)]).double()
        mean, spread = seen.mean(dim=0), seen.std(dim=0) + 1e-4
        _, lengths, axes = torch.linalg.svd((seen - mean) / spread, full_matrices=False)
        size = lengths[:24, None] / len(seen) ** 0.5
        project = axes[:24] / size / spread
        net.project.weight.copy_(project)
        net.project.bias.copy_(-project @ mean)
        embedded = net.project(seen.float()).numpy()
        fitted = linear_model.LogisticRegression(C=0.1, max_iter=300).fit(embedded, windows.labels)
        net.classify.weight.copy_(torch.from_numpy(fitted.coef_))
        net.classify.bias.copy_(torch.from_numpy(fitted.intercept_))

    card = ModelCard(
        schema=SCHEMA,
        name="exercises",
        description="Seven shoulder exercises",
        labels=corpus.classes,
        input=InputSpec(corpus.channels, corpus.rate, COLUMNS, HOP, "wrist"),
        spectrogram=spec,
        decision=DecisionSpec(),
        license="Apache-2.0",
        quantisation="float32",
        provenance={
            "data": {"name": corpus.name},
            "subjects": {"trained": list(people), "kept_out": [KEPT_OUT]},
        },
    )
    path: Path = tmp_path_factory.mktemp("checkpoint") / "exercises.safetensors"
    save(path, net, card)
    assert np.mean(fitted.predict(embedded) == windows.labels) > 0.8
    return path


@pytest.fixture(scope="session")
def evidence(checkpoint: Path) -> Evidence:
    """Real windows for `checkpoint`, 128 of them to calibrate on."""
    from img2imu_export.evidence import gather
    from img2imu_training.checkpoint import load

    return gather(load(checkpoint)[1], None, None, 128)


@pytest.fixture(scope="session")
def trained(checkpoint: Path, evidence: Evidence) -> Trained:
    """The network of `checkpoint`."""
    from img2imu_export.pipeline import shown
    from img2imu_export.targets import Options, Trained
    from img2imu_training.checkpoint import load

    net, card = load(checkpoint)
    return Trained(net, card, evidence.calibration, shown(card, evidence.calibration, Options()))

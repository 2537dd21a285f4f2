"""Bundles for phones from a genuine export; the Android one's logic runs where there is a Kotlin compiler."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import typer

pytest.importorskip("torch")
pytest.importorskip("onnx")

from img2imu_export.bundle import KINDS, Kind, bundle, bundle_exported
from img2imu_export.cli import export as export_command
from img2imu_export.evidence import gather
from img2imu_export.pipeline import export, shown
from img2imu_export.report import Bounds
from img2imu_export.targets import Options, Trained, find_target
from img2imu_training.checkpoint import load
from img2imu_training.fit import predict
from typer.testing import CliRunner

from img2imu_edge.card import DecisionSpec, ModelCard, Novelty
from img2imu_edge.errors import ModelError
from img2imu_edge.model import Model, load_model
from img2imu_edge.offline import classify_recording
from img2imu_edge.recording import Recording, demo_recording, read_recording

JARS = "IMG2IMU_PHONE_JARS"
"""Class path with org.json and ONNX Runtime for the JVM."""

ASSETS: dict[Kind, str] = {"android": "app/src/main/assets", "ios": "Sources/MotionLabel/Resources"}
CHECKS = ["file", "network", "resampling", "decisions"]
SOURCES = {"android": "tree_sitter_kotlin", "ios": "tree_sitter_swift"}


@pytest.fixture(scope="module")
def exported(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that takes samples, of a model that smooths, holds on to labels and knows the unknown."""
    net, card = load(checkpoint)
    evidence = gather(card, None, None, 64)
    few = slice(None, None, 8)
    evidence = replace(evidence, samples=evidence.samples[few], labels=evidence.labels[few])
    pictures = shown(card, evidence.samples, Options())
    _, embeddings = predict(net, pictures)
    centroids = [embeddings[evidence.labels == k].mean(axis=0) for k in range(len(card.labels))]
    spread = np.mean([embeddings[evidence.labels == k].std(axis=0) for k in range(len(card.labels))], axis=0)
    novelty = Novelty(tuple(tuple(map(float, c)) for c in centroids), tuple(map(float, spread)), 1.5, 0.05)
    card = replace(card, decision=DecisionSpec(0.7, 0.6, 0.1, 0.6, novelty))
    trained = Trained(net, card, evidence.calibration, shown(card, evidence.calibration, Options()))
    (made,) = export(
        trained,
        evidence,
        {"onnx-fp32": find_target("onnx-fp32")},
        Options("samples"),
        Bounds(),
        tmp_path_factory.mktemp("exported"),
        "exercises",
    )
    return made.files[0]


@pytest.fixture(scope="module")
def bundles(exported: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[Kind, Path]:
    output = tmp_path_factory.mktemp("bundles")
    return dict(zip(KINDS, bundle_exported(KINDS, [exported], output, "exercises"), strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_a_bundle_holds_the_very_file_its_card_and_its_figures(
    kind: Kind, bundles: dict[Kind, Path], exported: Path
) -> None:
    assets = bundles[kind] / ASSETS[kind]
    model = load_model(exported)
    golden = json.loads((assets / "golden.json").read_text(encoding="utf-8"))
    assert (assets / "model.onnx").read_bytes() == exported.read_bytes()
    assert golden["sha256"] == hashlib.sha256(exported.read_bytes()).hexdigest()
    assert ModelCard.from_json((assets / "card.json").read_text(encoding="utf-8")) == model.card
    readme = (bundles[kind] / "README.md").read_text(encoding="utf-8")
    assert "## This model" in readme
    assert "| Window | 250 samples (5 s) |" in readme


def test_golden_windows_are_what_the_file_computes(bundles: dict[Kind, Path], exported: Path) -> None:
    model = load_model(exported)
    golden = json.loads((bundles["ios"] / ASSETS["ios"] / "golden.json").read_text(encoding="utf-8"))
    assert len({window["label"] for window in golden["windows"]}) == len(golden["windows"]) > 1
    for window in golden["windows"]:
        logits = model.engine.run(np.array(window["samples"], np.float32)).logits
        assert np.abs(logits - window["logits"]).max() <= golden["tolerance"] < 0.01
        assert model.card.labels[int(logits.argmax())] == window["label"]


def test_golden_decisions_and_resampling_show_what_an_app_could_get_wrong(
    bundles: dict[Kind, Path],
) -> None:
    golden = json.loads((bundles["android"] / ASSETS["android"] / "golden.json").read_text(encoding="utf-8"))
    steps = golden["decisions"]
    held = [step for step in steps if step["label"] != "unknown" and max(step["scores"]) > step["confidence"]]
    assert held, "no step is held back by the margin"
    assert any(step["label"] == "unknown" for step in steps)
    assert [step["reset"] for step in steps].count(True) == 1
    grid = golden["resampling"]["grid"]
    assert [point["restart"] for point in grid].count(True) == 2
    assert 0 < [point["real"] for point in grid].count(False) < len(grid) / 2


def test_only_onnx_from_samples_becomes_an_app(shipped: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"takes picture.*--raw"):
        bundle("android", (shipped / "shoulder.onnx").read_bytes(), tmp_path)
    with pytest.raises(ModelError, match="--to onnx-fp32"):
        bundle_exported(["ios"], [shipped / "shoulder.tflite"], tmp_path, "shoulder")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--bundle", "toaster"), "android or ios"),
        (("--bundle", "ios", "--to", "tflite-fp32"), "--to onnx-fp32"),
    ],
)
def test_what_cannot_become_an_app_is_a_usage_error(arguments: tuple[str, ...], said: str) -> None:
    app = typer.Typer()
    app.command()(export_command)
    result = CliRunner().invoke(app, ["any.safetensors", *arguments])
    assert result.exit_code == 2
    assert said in " ".join(result.output.replace("│", " ").split())


@pytest.mark.parametrize("kind", KINDS)
def test_sources_parse(kind: Kind, bundles: dict[Kind, Path]) -> None:
    tree_sitter = pytest.importorskip("tree_sitter")
    grammar = pytest.importorskip(SOURCES[kind])
    parser = tree_sitter.Parser(tree_sitter.Language(grammar.language()))
    sources = [path for path in bundles[kind].rglob("*") if path.suffix in (".kt", ".kts", ".swift")]
    broken = [path.name for path in sources if parser.parse(path.read_bytes()).root_node.has_error]
    assert len(sources) >= 9
    assert not broken


@pytest.mark.timeout(400)
def test_the_android_app_decides_on_a_jvm_as_python_does(
    bundles: dict[Kind, Path], exported: Path, replay: Path, tmp_path: Path
) -> None:
    model, recording = load_model(exported), read_recording(demo_recording())
    rng = np.random.default_rng(0)
    lossy = rng.random(len(recording)) > 0.1
    lossy[2000:2180] = lossy[5000:5400] = False  # shorter and longer than a window
    with_losses = replace(recording, times=recording.times[lossy], values=recording.values[lossy])
    jittered, gridded = _jittered(recording, model.card.input.rate, rng)
    for name, events in (("lossy", _events(with_losses)), ("jittered", jittered)):
        (tmp_path / name).write_text(events, encoding="utf-8")
    assets = bundles["android"] / ASSETS["android"]
    checks, decisions = _run(replay, assets, tmp_path / "lossy", tmp_path / "jittered")
    assert [check.split()[:2] for check in checks] == [["ok", f"{name}:"] for name in CHECKS]
    for found, source in zip(decisions, (with_losses, gridded), strict=True):
        expected = _in_python(source, model)
        assert [line[:3] for line in found] == [line[:3] for line in expected]
        assert np.abs([a[3] - b[3] for a, b in zip(found, expected, strict=True)]).max() < 1e-4
    assert {status for line in decisions for _, status, _, _ in line} >= {"ok", "gap", "warming_up"}


@pytest.mark.timeout(400)
def test_the_android_app_notices_what_is_not_as_in_python(
    bundles: dict[Kind, Path], replay: Path, tmp_path: Path
) -> None:
    shutil.copytree(bundles["android"] / ASSETS["android"], tmp_path, dirs_exist_ok=True)
    golden = json.loads((tmp_path / "golden.json").read_text(encoding="utf-8"))
    golden["sha256"] = golden["sha256"][::-1]
    golden["windows"][-1]["logits"][0] += 2 * golden["tolerance"]
    golden["resampling"]["grid"][-1]["real"] ^= True
    golden["decisions"][-1]["confidence"] += 0.01
    (tmp_path / "golden.json").write_text(json.dumps(golden), encoding="utf-8")
    checks, _ = _run(replay, tmp_path)
    assert [check.split()[:2] for check in checks] == [["FAILED", f"{name}:"] for name in CHECKS]


@pytest.fixture(scope="module")
def replay(bundles: dict[Kind, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The part of the Android app that knows no Android, compiled for a JVM with a main function."""
    home = os.environ.get("KOTLIN_HOME")
    kotlinc = shutil.which("kotlinc", path=f"{home}/bin" if home else None)
    jars = os.environ.get(JARS)
    if not (kotlinc and jars and shutil.which("java")):
        pytest.skip(f"needs java, kotlinc (on PATH, or KOTLIN_HOME) and {JARS}: org.json and onnxruntime")
    sources = sorted(bundles["android"].rglob("*.kt"))
    portable = [path for path in sources if "import android." not in path.read_text(encoding="utf-8")]
    assert len(sources) - len(portable) == 2
    jar = tmp_path_factory.mktemp("jvm") / "replay.jar"
    main = Path(__file__).parent / "phone" / "Replay.kt"
    options = ["-cp", jars, "-Werror", "-include-runtime", "-d", str(jar)]
    subprocess.run([kotlinc, *map(str, [*portable, main]), *options], check=True, timeout=300)
    return jar


Line = tuple[float, str, str | None, float]


def _in_python(recording: Recording, model: Model) -> list[Line]:
    return [(round(d.time, 6), d.status, d.label, d.confidence) for d in classify_recording(recording, model)]


def _events(recording: Recording) -> str:
    return "\n".join(
        f"{sensor},{float(time)!r},{','.join(str(v) for v in row[3 * sensor : 3 * sensor + 3])}"
        for time, row in zip(recording.times, recording.values, strict=True)
        for sensor in (0, 1)
    )


def _jittered(recording: Recording, rate: float, rng: np.random.Generator) -> tuple[str, Recording]:
    """Two sensors that keep to no clock, and what a straight line between their events is on the grid."""
    count, duration = int(recording.times[-1] * 48), recording.times[-1]
    times = [
        np.sort((np.arange(count) + rng.uniform(-0.2, 0.2, count)) / 48 + 0.3 + 0.007 * k) for k in (0, 1)
    ]
    times = [t[t < duration] for t in times]
    values = [
        np.stack([np.interp(t, recording.times, column) for column in recording.values.T[3 * k : 3 * k + 3]])
        for k, t in enumerate(times)
    ]
    values = [v.astype(np.float32) for v in values]
    events = sorted(
        (float(time), sensor, *map(str, row))
        for sensor in (0, 1)
        for time, row in zip(times[sensor], values[sensor].T, strict=True)
    )
    start, stop = max(t[0] for t in times), min(t[-1] for t in times)
    grid = start + np.arange(int((stop - start) * rate)) / rate
    columns = [np.interp(grid, times[k], row) for k in (0, 1) for row in values[k]]
    gridded = replace(
        recording, times=grid, values=np.stack(columns, axis=1).astype(np.float32), labels=None, rate=rate
    )
    return "\n".join(",".join(map(str, (sensor, time, *row))) for time, sensor, *row in events), gridded


def _run(replay: Path, assets: Path, *events: Path) -> tuple[list[str], list[list[Line]]]:
    """What the self-test says, and the decisions on each stream of events."""
    path = os.pathsep.join([str(replay), os.environ[JARS]])
    command = ["java", "-cp", path, "ReplayKt", *map(str, [assets, *events])]
    said = subprocess.run(command, check=True, timeout=90, stdout=subprocess.PIPE, text=True).stdout
    first, *streams = said.split("events ")
    return re.findall(r"^check (.*)$", first, re.MULTILINE), [
        [_line(line) for line in re.findall(r"^decision (.*)$", stream, re.MULTILINE)] for stream in streams
    ]


def _line(text: str) -> Line:
    time, status, label, confidence, _ = text.split(",")
    shown_label = "unknown" if status == "UNKNOWN" else label or None
    return round(float(time), 6), status.lower(), shown_label, float(confidence)

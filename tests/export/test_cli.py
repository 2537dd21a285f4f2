"""The command, on a genuine checkpoint."""

from __future__ import annotations

import json
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import typer
from img2imu_export.cli import _wanted, export
from img2imu_export.extras import need
from img2imu_export.page import render
from img2imu_export.targets import target_names
from typer.testing import CliRunner, Result

import img2imu_edge as i2e
from img2imu_edge.container import CARD
from tests.conftest import Run


def run(*arguments: object) -> Result:
    app = typer.Typer()
    app.command()(export)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_an_unknown_target_is_a_usage_error(tmp_path: Path) -> None:
    result = run(tmp_path / "any.safetensors", "--to", "coffee", "-o", tmp_path)
    assert result.exit_code == 2
    assert "no target is called" in result.output


def test_a_missing_converter_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "litert_torch", None)
    with pytest.raises(i2e.MissingExtraError, match=r"litert_torch.*pip install 'img2imu-edge\[export\]'"):
        need("litert_torch")


def test_a_file_that_is_no_checkpoint_is_an_error_of_ours(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    (tmp_path / "text.safetensors").write_text("hello")
    result = run(tmp_path / "text.safetensors", "-o", tmp_path)
    assert isinstance(result.exception, i2e.ModelError)


def test_a_report_that_cannot_be_written_is_told_before_anything_is_done(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("hello")
    result = run(tmp_path / "none.safetensors", "--report", tmp_path / "file" / "told.json", "-o", tmp_path)
    assert isinstance(result.exception, i2e.ModelError)
    assert "cannot write" in str(result.exception)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--to", "auto"), "say for which: x86, arm64, phone, mcu"),
        (("--to", "auto", "--for", "toaster"), "not toaster"),
        (("--to", "auto", "--to", "onnx", "--for", "phone"), "auto chooses by itself"),
        (("--for", "phone"), "it goes with --to auto"),
        (("--report", "page.pdf"), "ends in .html or .json"),
        (("--bundle", "ios", "--to", "tflite"), "the app runs ONNX; add: --to onnx-fp32"),
        (("--bundle", "ios", "--to", "auto", "--for", "phone"), "instead of auto, which may choose another"),
    ],
)
def test_options_that_do_not_fit_each_other_are_usage_errors(
    tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    result = run(tmp_path / "any.safetensors", *arguments, "-o", tmp_path)
    assert result.exit_code == 2
    assert said in " ".join(result.output.replace("│", " ").split())


def test_a_family_stands_for_all_of_its_targets() -> None:
    assert _wanted(["onnx"], None) == [name for name in target_names() if name.startswith("onnx-")]
    assert _wanted(["tflite-int8", "tflite"], None)[0] == "tflite-int8"
    assert len(_wanted(["tflite"], None)) > 2
    assert _wanted(None, None) == ["onnx-int8", "tflite-int8"]


@pytest.mark.parametrize(
    ("key", "change", "said"),
    [
        ("img2imu.architecture", ("backbone", "transformer"), "do not fit"),
        ("img2imu.architecture", ("backbone", "small"), "do not fit"),
        ("img2imu.architecture", ("classes", None), "classes"),
        (CARD, ("decision", None), "decision"),
        (CARD, ("provenance", {}), "does not name its data and subjects"),
    ],
)
def test_what_is_wrong_with_a_checkpoint_is_named(
    checkpoint: Path, tmp_path: Path, key: str, change: tuple[str, object], said: str
) -> None:
    from safetensors import safe_open
    from safetensors.torch import save_file

    with safe_open(str(checkpoint), framework="pt") as file:
        header = file.metadata()
        weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    told = json.loads(header[key])
    name, value = change
    told = {**told, name: value} if value is not None else {k: v for k, v in told.items() if k != name}
    save_file(weights, tmp_path / "other.safetensors", {**header, key: json.dumps(told)})
    result = run(tmp_path / "other.safetensors", "-o", tmp_path / "out")
    assert isinstance(result.exception, i2e.ModelError)
    assert said in str(result.exception)
    assert list((tmp_path / "out").iterdir()) == []


def test_it_writes_what_the_runtime_loads_and_rejects_what_is_out_of_bounds(
    checkpoint: Path, tmp_path: Path
) -> None:
    if lacking := [name for name in ("torch", "onnxscript", "seglearn") if find_spec(name) is None]:
        pytest.skip(f"not installed: {', '.join(lacking)}")
    given = ("--to", "onnx-int8", "--windows", 128)
    good = run(checkpoint, *given, "--report", tmp_path / "told.json", "-o", tmp_path / "good")
    assert good.exit_code == 0, good.output
    assert "exercises.onnx" in good.output
    assert "backbone.stages.3" in good.output
    told = json.loads((tmp_path / "told.json").read_text())
    (variant,) = told["variants"]
    assert variant["compared"]["agreement"] >= 0.99
    assert len(variant["compared"]["class_f1"]) == len(told["labels"])
    assert variant["size"] == (tmp_path / "good" / "exercises.onnx").stat().st_size
    page = render({**told, "labels": ["<b>", *told["labels"][1:]]})
    assert "&lt;b&gt;" in page
    assert "<b>" not in page.split("</style>")[1].replace("<b>warning", "").replace("<b>choice", "")
    assert i2e.load_model(tmp_path / "good" / "exercises.onnx").card.name == "exercises"

    strict = ("--report", tmp_path / "told.html", "--min-agreement", 1.1, "-o", tmp_path / "strict")
    rejected = run(checkpoint, *given, *strict)
    assert rejected.exit_code == 1
    assert isinstance(rejected.exception, i2e.ModelError)
    assert "less than 110.00%" in str(rejected.exception)
    assert "--keep-float" in str(rejected.exception)
    assert "Why onnx-int8 was rejected" in (tmp_path / "told.html").read_text()
    assert [path.name for path in (tmp_path / "strict").iterdir()] == ["exercises.onnx.rejected"]


def test_a_model_of_ones_own_recordings_is_checked_on_them(img2imu: Run, tmp_path: Path) -> None:
    """Nobody was kept out, and the recordings lie where they lay: no option is needed."""
    if lacking := [name for name in ("torch", "onnxscript", "seglearn") if find_spec(name) is None]:
        pytest.skip(f"not installed: {', '.join(lacking)}")
    from img2imu_training import spar

    corpus, folder = spar.load(), tmp_path / "recordings"
    folder.mkdir()
    for person in corpus.subjects[:3]:
        lines = ["time,acc_x,acc_y,acc_z,label"]
        for exercise in ("pendulum", "bent_over_row"):
            label = corpus.classes.index(exercise)
            session = next(s for s in corpus.sessions if s.subject == person and s.labels[0] == label)
            for x, y, z in session.values[:900, :3]:
                lines.append(f"{len(lines) / corpus.rate:.2f},{x:.3f},{y:.3f},{z:.3f},{exercise}")
        (folder / f"{person}.csv").write_text("\n".join(lines) + "\n")
        (folder / f"{person}.json").write_text(f'{{"subject": "{person}"}}')
    made = img2imu("finetune", folder, "--base", "tiny", "-o", tmp_path / "own.safetensors", timeout=110)
    assert made.returncode == 0, made.stderr
    done = img2imu("export", tmp_path / "own.safetensors", "--to", "onnx-fp32", "-o", tmp_path, timeout=110)
    assert done.returncode == 0, done.stderr
    assert "people in training (01, 02, 03)" in " ".join(done.stdout.split())
    assert i2e.load_model(tmp_path / "own-fp32.onnx").card.labels == ("bent_over_row", "pendulum")

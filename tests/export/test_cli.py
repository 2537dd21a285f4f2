"""The command, on a genuine checkpoint."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import typer
from img2imu_export.cli import export
from img2imu_export.extras import need
from typer.testing import CliRunner, Result

import img2imu_edge as i2e
from tests.conftest import Run


def run(*arguments: object) -> Result:
    app = typer.Typer()
    app.command()(export)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_an_unknown_target_is_a_usage_error(tmp_path: Path) -> None:
    result = run(tmp_path / "any.safetensors", "--to", "coreml", "-o", tmp_path)
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


def test_it_writes_what_the_runtime_loads_and_rejects_what_is_out_of_bounds(
    checkpoint: Path, tmp_path: Path
) -> None:
    if lacking := [name for name in ("torch", "onnxscript", "seglearn") if find_spec(name) is None]:
        pytest.skip(f"not installed: {', '.join(lacking)}")
    good = run(checkpoint, "--to", "onnx-int8", "--windows", 256, "-o", tmp_path / "good")
    assert good.exit_code == 0, good.output
    assert "exercises.onnx" in good.output
    assert i2e.load_model(tmp_path / "good" / "exercises.onnx").card.name == "exercises"

    strict = ("--to", "onnx-int8", "--windows", 256, "--min-agreement", 1.1, "-o", tmp_path / "strict")
    rejected = run(checkpoint, *strict)
    assert rejected.exit_code == 1
    assert isinstance(rejected.exception, i2e.ModelError)
    assert "less than 110.00%" in str(rejected.exception)
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

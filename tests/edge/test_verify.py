"""Verify: genuine files pass; a wrong front-end, network or decision is told by stage and place."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import img2imu_edge as i2e
from img2imu_edge.container import GOLDEN, Container, unpack
from img2imu_edge.engines import Output
from img2imu_edge.golden import Golden
from img2imu_edge.model import open_model, shipped_files
from img2imu_edge.verify import Stage, demand, verify

Reseal = Callable[..., Container]
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def onnx_parts(model: i2e.Model) -> Container:
    return unpack(model.path.read_bytes())


def _stages(parts: Container) -> dict[str, Stage]:
    return {stage.name: stage for stage in verify(open_model(parts, Path("changed")))}


@pytest.mark.parametrize("path", shipped_files(), ids=lambda path: path.name)
def test_every_shipped_file_proves_itself(path: Path) -> None:
    stages = verify(i2e.load_model(path))
    demand(stages)
    assert [stage.name for stage in stages] == ["picture", "logits", "embedding", "decision"]
    assert all(stage.error >= 0 for stage in stages)
    assert stages[0].error < 1e-5  # 16 bits of storage


@pytest.mark.parametrize(
    ("change", "sensor", "shows"),
    [
        (lambda spec: spec["ranges"]["acc"].update(high_db=26.0), "acc_", "Hz"),
        (lambda spec: spec["ranges"]["gyr"].update(level=3.5), "gyr_", "level"),
        (lambda spec: spec.update(f_max=14.5), "", "Hz"),
        (lambda spec: spec.update(detrend=False), "", "Hz"),
        (lambda spec: spec.update(floor=1e-6), "", "Hz"),
    ],
)
def test_another_front_end_is_noticed_and_placed(
    change: Callable[[dict[str, Any]], None], sensor: str, shows: str, parts: Container, reseal: Reseal
) -> None:
    stages = _stages(reseal(parts, card=lambda card: change(card["spectrogram"])))
    picture = stages["picture"]
    assert not picture.passed
    assert f", {sensor}" in picture.where
    assert shows in picture.where
    with pytest.raises(i2e.ModelError, match=r"the picture is .* off, more than 0\.0001 \(window"):
        demand(tuple(stages.values()))


def test_the_place_is_the_cell_that_differs(model: i2e.Model, onnx_parts: Container, reseal: Reseal) -> None:
    """One cell of a golden picture changed: gyr_y, the third frequency from below, column 20, window 1."""
    golden, plan, spec = model.golden, model.plan, model.card.spectrogram
    assert golden is not None
    row = plan.rows + spec.level_rows + 2
    pictures = golden.pictures.copy()
    pictures[1, 1, row, 20] = 1 - pictures[1, 1, row, 20].round()
    changed = reseal(onnx_parts, golden=replace(golden, pictures=pictures).to_bytes())
    where = _stages(changed)["picture"].where
    assert where == f"window 1, gyr_y {plan.frequencies[2]:.3g} Hz (row {row}), column 20"


def test_axes_in_another_order_are_noticed(onnx_parts: Container, reseal: Reseal) -> None:
    golden = Golden.from_bytes(onnx_parts.attachments[GOLDEN])
    swapped = replace(golden, samples=golden.samples[..., [1, 0, 2, 3, 4, 5]])
    stages = _stages(reseal(onnx_parts, golden=swapped.to_bytes()))
    assert not stages["picture"].passed
    assert "acc_z" not in stages["picture"].where


def test_other_weights_are_noticed_in_the_network_alone(reseal: Reseal) -> None:
    exact = unpack(i2e.load_model("shoulder-fp32").path.read_bytes())
    graph = onnx.load_from_string(exact.graph)
    weight = max(graph.graph.initializer, key=lambda tensor: len(tensor.raw_data))
    values = onnx.numpy_helper.to_array(weight) * np.float32(1.01)
    weight.CopyFrom(onnx.numpy_helper.from_array(values, weight.name))
    stages = _stages(reseal(exact, graph=graph.SerializeToString()))
    assert stages["picture"].passed
    assert not stages["logits"].passed
    with pytest.raises(i2e.ModelError, match=r"a logit is .* off, more than 0\.001"):
        demand(tuple(stages.values()))


def test_other_decisions_are_noticed(onnx_parts: Container, reseal: Reseal) -> None:
    """Golden embeddings far from every class: the trained network would have said `unknown`."""
    golden = Golden.from_bytes(onnx_parts.attachments[GOLDEN])
    far = replace(golden, embeddings=golden.embeddings + 100)
    decision = _stages(reseal(onnx_parts, golden=far.to_bytes()))["decision"]
    assert decision.error == len(golden)
    assert not decision.passed
    assert decision.where.startswith("window 0: ")
    assert decision.where.endswith("not unknown")


def test_a_network_that_gives_nan_does_not_pass(model: i2e.Model) -> None:
    class Broken:
        name, form = "broken", model.engine.form
        input_shape, classes = model.engine.input_shape, model.engine.classes
        embedding_size = model.engine.embedding_size

        def run(self, window: np.ndarray[Any, Any]) -> Output:
            logits, embedding = model.engine.run(window)
            logits[3] = np.nan
            return Output(logits, embedding)

    logits = verify(replace(model, engine=Broken()))[1]
    assert not logits.passed
    assert logits.where == f"window 0, {model.card.labels[3]}"


@pytest.mark.parametrize("lacking", ["golden vectors", "bounds"])
def test_a_file_without_proof_is_asked_to_be_exported_again(
    lacking: str, model: i2e.Model, onnx_parts: Container, reseal: Reseal
) -> None:
    if lacking == "bounds":
        bare = reseal(onnx_parts, card=lambda card: card.update(bounds=None))
    else:
        attachments = {name: value for name, value in onnx_parts.attachments.items() if name != GOLDEN}
        bare = reseal(replace(onnx_parts, attachments=attachments))
    with pytest.raises(i2e.ModelError, match=f"no {lacking} to prove itself by; export it again"):
        verify(open_model(bare, model.path))


def test_the_command_tells_each_stage_and_fails_where_one_fails(
    onnx_parts: Container, written: Callable[[Container], Path], reseal: Reseal, img2imu: Run
) -> None:
    wrong = written(
        reseal(onnx_parts, card=lambda card: card["spectrogram"]["ranges"]["acc"].update(low_db=-26.0))
    )
    done = img2imu("verify", "shoulder", wrong, "--json")
    assert done.returncode == 1
    assert "1 of 2 files failed" in done.stderr
    told = json.loads(done.stdout)
    assert [file["passed"] for file in told["files"]] == [True, False]
    assert told["files"][1]["stages"][0]["passed"] is False
    shown = img2imu("verify", wrong)
    assert shown.returncode == 1
    assert "FAIL" in shown.stdout
    assert "the picture is" in shown.stderr
    assert str(wrong) in shown.stderr


def test_verifying_needs_nothing_but_numpy_and_an_engine(model: i2e.Model) -> None:
    code = (
        "import sys\n"
        "for name in ('torch', 'onnx', 'cryptography', 'scipy', 'img2imu_export', 'img2imu_training'):\n"
        "    sys.modules[name] = None\n"
        "from img2imu_edge.cli.verify import verify\n"
        "verify([sys.argv[1]])\n"
    )
    line = [sys.executable, "-c", code, str(model.path)]
    done = subprocess.run(line, capture_output=True, text=True, check=True)
    assert "3 of 3 alike" in done.stdout


def test_without_a_name_every_shipped_file_is_verified(img2imu: Run) -> None:
    done = img2imu("verify")
    assert done.returncode == 0, done.stderr
    for path in shipped_files():
        assert path.name in done.stdout

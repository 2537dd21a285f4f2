from __future__ import annotations

import itertools
import json
import os
import signal
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributed
import torch.multiprocessing
from img2imu_training.backbones import build_backbone
from img2imu_training.pretrain.checkpoint import (
    BackboneHeader,
    load_backbone,
    load_state,
    save_backbone,
)
from img2imu_training.pretrain.cli import app
from img2imu_training.pretrain.command import adapt
from img2imu_training.pretrain.data import make_source
from img2imu_training.pretrain.loop import Machine, Pictures, Source, pretrain
from img2imu_training.pretrain.objectives import ObjectiveOptions
from img2imu_training.pretrain.probe import Probe, make_probe
from img2imu_training.pretrain.recipe import (
    CorpusOptions,
    OptimiserOptions,
    PictureOptions,
    PretrainRecipe,
    ProbeOptions,
    read_pretrain_recipe,
)
from img2imu_training.pretrain.steps import share_of
from img2imu_training.pretrain.views import ViewOptions
from img2imu_training.recordings import Corpus
from safetensors.torch import load_file, save_file
from torch import Tensor
from typer.testing import CliRunner

from img2imu_edge.errors import ModelError, RecordingError, TrainingError

RECIPES = sorted((Path(__file__).parents[2] / "training" / "recipes" / "pretrain").rglob("*.toml"))
CPU = Machine(accelerator="cpu", devices=1)
RECIPE = PretrainRecipe(
    name="test",
    description="a few steps",
    license="Apache-2.0",
    seed=3,
    backbone="tiny",
    corpora=(CorpusOptions("formula_images"),),
    views=(
        ViewOptions("translate_x", strength=0.25),
        ViewOptions("hue", 0.5, 0.1),
        ViewOptions("jitter", strength=0.1),
    ),
    objective=ObjectiveOptions("moco", options={"queue": 24, "hidden": 16, "width": 8}),
    batch=8,
    steps=6,
    optimiser=OptimiserOptions(warmup=2),
    workers=0,
    checkpoint_every=2,
    log_every=1,
)


class Breaking:
    """Noise; the corpus does something else at one step."""

    def __init__(self, at: int = -1, what: Callable[[], None] = lambda: None) -> None:
        self.at, self.what = at, what

    def batch(self, step: int) -> Tensor:
        if step == self.at:
            self.what()
        raw = np.random.default_rng(step).integers(0, 256, (8, 1, 3, 32, 32), np.uint8)
        return torch.from_numpy(raw)


def source(at: int = -1, what: Callable[[], None] = lambda: None) -> Source:
    return lambda rank, world, batch: Pictures(Breaking(at, what), ({"kind": "noise", "count": 48},))


def fail() -> None:
    raise OSError("the disk is gone")


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def log(output: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.with_suffix(".log.jsonl").read_text().splitlines()]


@pytest.mark.parametrize(
    ("objective", "optimiser", "what", "error", "steps_done"),
    [
        ("moco", "adamw", fail, OSError, 2),
        ("moco", "sgd", interrupt, TrainingError, 4),
        ("vicreg", "adamw", fail, OSError, 2),
    ],
)
def test_an_interrupted_run_ends_as_if_nothing_had_happened(
    tmp_path: Path, objective: Any, optimiser: Any, what: Callable[[], None], error: type, steps_done: int
) -> None:
    options = {"hidden": 16, "width": 8} | ({"queue": 24} if objective == "moco" else {})
    recipe = replace(
        RECIPE,
        objective=ObjectiveOptions(objective, options=options),
        optimiser=OptimiserOptions(optimiser, warmup=2),
    )
    whole, parts = tmp_path / "whole.safetensors", tmp_path / "parts.safetensors"
    pretrain(recipe, source(), whole, CPU)
    with pytest.raises(error):
        pretrain(recipe, source(3, what), parts, CPU)
    assert load_state(parts.with_suffix(".state.safetensors"))[0].step == steps_done
    assert not parts.exists()
    pretrain(recipe, source(), parts, CPU, resume=True)
    ours, theirs = load_file(parts), load_file(whole)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert [entry["step"] for entry in log(parts)] == [1, 2, 3, 4, 5, 6]
    assert [entry["loss"] for entry in log(parts)] == [entry["loss"] for entry in log(whole)]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "parts.log.jsonl",
        "parts.safetensors",
        "whole.log.jsonl",
        "whole.safetensors",
    ]


def test_a_state_is_neither_overwritten_nor_mixed_up(tmp_path: Path) -> None:
    output = tmp_path / "a.safetensors"
    with pytest.raises(OSError, match="disk"):
        pretrain(RECIPE, source(3, fail), output, CPU)
    with pytest.raises(TrainingError, match="--resume, or remove it"):
        pretrain(RECIPE, source(), output, CPU)
    other = replace(RECIPE, objective=ObjectiveOptions("simclr"))
    with pytest.raises(TrainingError, match="another 'objective'"):
        pretrain(other, source(), output, CPU, resume=True)
    slower = replace(RECIPE, checkpoint_every=1, description="said otherwise")
    pretrain(slower, source(), output, CPU, resume=True)
    state = output.with_suffix(".state.safetensors")
    state.write_bytes(output.read_bytes())
    with pytest.raises(ModelError, match="not a state"):
        pretrain(RECIPE, source(), output, CPU, resume=True)


def test_workers_change_nothing(tmp_path: Path) -> None:
    recipe = replace(RECIPE, steps=3)
    make = make_source(recipe, tmp_path)
    one = pretrain(recipe, make, tmp_path / "a.safetensors", CPU)
    two = pretrain(replace(recipe, workers=2), make, tmp_path / "b.safetensors", CPU)
    for a, b in zip(one.state_dict().values(), two.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_a_loss_that_is_not_finite_names_its_step(tmp_path: Path) -> None:
    wild = replace(
        RECIPE,
        objective=ObjectiveOptions("vicreg", options={"hidden": 16, "width": 8}),
        optimiser=OptimiserOptions("sgd", rate=1e30, warmup=0),
    )
    with pytest.raises(TrainingError, match=r"the loss of step [2-6] is (nan|inf); lower the learning rate"):
        pretrain(wild, source(), tmp_path / "a.safetensors", CPU)


def test_mixed_precision_trains(tmp_path: Path) -> None:
    net = pretrain(replace(RECIPE, precision="bf16-mixed"), source(), tmp_path / "a.safetensors", CPU)
    assert {weight.dtype for weight in net.parameters()} == {torch.float32}
    losses = [entry["loss"] for entry in log(tmp_path / "a.safetensors")]
    full = pretrain(RECIPE, source(), tmp_path / "b.safetensors", CPU)
    assert isinstance(full, torch.nn.Module)
    exact = [entry["loss"] for entry in log(tmp_path / "b.safetensors")]
    assert losses[0] == pytest.approx(exact[0], rel=0.02)
    assert losses != exact


TWO = """
name = "two"
description = "two processes"
license = "Apache-2.0"
seed = 0
backbone = "tiny"
batch = 16
steps = 3
workers = 0
log_every = 1
corpora = [{ kind = "formula_images", options = { size = 16 } }]
views = [{ name = "translate_x", strength = 0.25 }]
objective = { name = "moco", options = { queue = 32, hidden = 16, width = 8 } }
picture = { rows = 16, columns = 16 }
"""


def one_of_two(rank: int, folder: str, port: int) -> None:
    """What `torchrun --nproc-per-node 2` would start."""
    torch.set_num_threads(1)
    numbers = {"RANK": rank, "LOCAL_RANK": rank, "GROUP_RANK": 0, "WORLD_SIZE": 2, "LOCAL_WORLD_SIZE": 2}
    os.environ |= {name: str(number) for name, number in numbers.items()}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "TORCHELASTIC_RUN_ID": "test"}
    recipe = read_pretrain_recipe(Path(folder) / "two.toml")
    machine = Machine(accelerator="cpu", devices=2, strategy="ddp")
    net = pretrain(recipe, make_source(recipe, Path(folder)), Path(folder) / "two.safetensors", machine)
    torch.save(net.state_dict(), f"{folder}/{rank}.pt")
    torch.distributed.destroy_process_group()


def test_two_processes_share_a_batch(tmp_path: Path) -> None:
    (tmp_path / "two.toml").write_text(TWO)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    torch.multiprocessing.start_processes(one_of_two, (str(tmp_path), port), nprocs=2, start_method="fork")
    one, two = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2))
    trained = [name for name in one if "running" not in name]
    assert all(torch.equal(one[name], two[name]) for name in trained)
    assert [entry["step"] for entry in log(tmp_path / "two.safetensors")] == [1, 2, 3]
    net, header = load_backbone(tmp_path / "two.safetensors")
    assert all(torch.equal(value, one[name]) for name, value in net.state_dict().items())
    assert header.recipe["batch"] == 16
    assert header.provenance[0]["options"]["batch"] == 8


def test_a_batch_that_cannot_be_shared_is_refused() -> None:
    with pytest.raises(TrainingError, match="make it a multiple"):
        share_of(15, 2)
    assert share_of(16, 2) == 8


def test_the_command(tmp_path: Path) -> None:
    recipe, output = tmp_path / "two.toml", tmp_path / "out.safetensors"
    recipe.write_text(TWO)
    options = [str(recipe), "-o", str(output), "--accelerator", "cpu", "--devices", "1", "--steps", "2"]
    done = CliRunner().invoke(app, options, catch_exceptions=False)
    assert done.exit_code == 0
    assert "step 2/2  loss" in done.stderr
    assert load_backbone(output)[1].recipe["steps"] == 2
    with pytest.raises(TrainingError, match="leave --images out"):
        CliRunner().invoke(app, [*options, "--images", "x"], catch_exceptions=False)


def test_backbones_make_the_round_trip(tmp_path: Path) -> None:
    torch.manual_seed(0)
    backbone = build_backbone("tiny").eval()
    header = BackboneHeader("tiny", 32, 32, "Apache-2.0", {"name": "x"}, ({"kind": "noise"},))
    save_backbone(tmp_path / "deep" / "a.safetensors", backbone, header)
    loaded, again = load_backbone(tmp_path / "deep" / "a.safetensors")
    assert again == header
    picture = torch.rand(2, 3, 32, 32)
    assert torch.equal(loaded(picture), backbone(picture))
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["a.safetensors"]


def whole_file(path: Path, **changes: Any) -> bytes:
    save_backbone(path, build_backbone("tiny"), BackboneHeader("tiny", 32, 32, "x", {}, **changes))
    return path.read_bytes()


def damaged(path: Path, kind: str) -> None:
    data = whole_file(path)
    weights = load_file(path)
    if kind == "cut short":
        path.write_bytes(data[: len(data) // 2])
    elif kind == "text":
        path.write_text("not a model")
    elif kind == "foreign":
        save_file(weights, path)
    elif kind == "newer":
        path.write_bytes(data.replace(rb"\"schema\": 1", rb"\"schema\": 2"))
    elif kind == "other network":
        path.write_bytes(data.replace(rb"\"backbone\": \"tiny\"", rb"\"backbone\": \"tin2\""))
    elif kind == "not finite":
        net = build_backbone("tiny")
        next(net.parameters()).data[0] = float("nan")
        save_backbone(path, net, BackboneHeader("tiny", 32, 32, "x", {}))
    elif kind == "missing":
        path.unlink()


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("cut short", "cannot|can be read"),
        ("text", "can be read"),
        ("missing", "can be read"),
        ("foreign", "its header has no"),
        ("newer", "newer"),
        ("other network", "must be one of 'tiny', 'small'"),
        ("not finite", "not finite"),
    ],
)
def test_files_that_are_no_backbone_are_refused(tmp_path: Path, kind: str, message: str) -> None:
    path = tmp_path / "a.safetensors"
    damaged(path, kind)
    with pytest.raises(ModelError, match=message) as caught:
        load_backbone(path)
    assert str(path) in str(caught.value)


@pytest.fixture(scope="module")
def probe(corpus: Corpus) -> Probe:
    picture = PictureOptions()
    return make_probe(corpus.of(corpus.subjects[:4]), picture.spec, picture.layout)


def test_a_probe_sees_what_is_there_and_nothing_else(probe: Probe) -> None:
    torch.manual_seed(0)
    backbone = build_backbone("tiny").train()
    before = {name: value.clone() for name, value in backbone.state_dict().items()}
    scores = probe.score(backbone)
    assert scores == probe.score(backbone), "it repeats"
    assert backbone.training
    assert all(torch.equal(value, before[name]) for name, value in backbone.state_dict().items())
    assert min(scores.values()) > 0.4, "chance is 1 in 7"
    labels = np.random.default_rng(0).permutation(probe.labels)
    assert max(replace(probe, labels=labels).score(backbone).values()) < 0.25, "chance is 1 in 7"


def test_probes_are_in_the_log_and_the_result(tmp_path: Path, probe: Probe) -> None:
    output = tmp_path / "a.safetensors"
    recipe = replace(RECIPE, probe=ProbeOptions(every=4))
    pretrain(recipe, source(), output, CPU, probes=lambda: [replace(probe, name="four")])
    found = [entry for entry in log(output) if "probe" in entry]
    assert [entry["step"] for entry in found] == [0, 4, 6]
    _, header = load_backbone(output)
    assert [entry["macro_f1"]["four"] for entry in header.probes] == [
        entry["probe"]["four"] for entry in found
    ]
    plain = tmp_path / "b.safetensors"
    pretrain(recipe, source(), plain, CPU)
    ours, theirs = load_file(output), load_file(plain)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours), "looking changes nothing"


def test_a_probe_says_which_pictures_it_needs(corpus: Corpus) -> None:
    picture = PictureOptions(rows=48, columns=48)
    with pytest.raises(TrainingError, match="pictures of 32 rows"):
        make_probe(corpus, picture.spec, picture.layout)
    picture = PictureOptions()
    with pytest.raises(TrainingError, match="one subject"):
        make_probe(corpus.of(corpus.subjects[:1]), picture.spec, picture.layout)


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_shipped_recipes_can_be_read(path: Path, tmp_path: Path) -> None:
    recipe = read_pretrain_recipe(path)
    photographs = [corpus for corpus in recipe.corpora if corpus.kind == "photographs"]
    if photographs:
        with pytest.raises(TrainingError, match="--images"):
            make_source(recipe, tmp_path)
        recipe = adapt(recipe, (tmp_path,), None, None)
    made = make_source(recipe, tmp_path)
    if not photographs:
        pictures = made(0, 1, 4)
        for step in range(4):
            first, second = recipe.make_views()(pictures.batches.batch(step))
            assert first.shape == second.shape == (4, 3, recipe.picture.rows, recipe.picture.columns)
        assert sum(each["share"] for each in pictures.provenance) == pytest.approx(1)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('name = "translate_x"', 'name = "translate_y"', r"views\[0\].*no view is called 'translate_y'"),
        ("queue = 32", "que = 32", "unknown key 'options.que'"),
        ("batch = 16", "batch = 1", "at least 2"),
        ("seed = 0", "", "missing key 'seed'"),
        ('backbone = "tiny"', 'backbone = "huge"', "must be one of"),
        ("rows = 16", "rows = 1", "two rows"),
    ],
)
def test_mistakes_in_a_recipe_are_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "a.toml"
    assert old in TWO
    path.write_text(TWO.replace(old, new))
    with pytest.raises(RecordingError, match=message) as caught:
        read_pretrain_recipe(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("corpus", "message"),
    [
        (CorpusOptions("formula_motion", options={"batch": 3}), "'batch' follows from"),
        (CorpusOptions("formula_motion", options={"kinds": {"dance": 1.0}}), "dance"),
        (CorpusOptions("formula_images", options={"kinds": {"cats": 1.0}}), "cats"),
        (CorpusOptions("photographs", paths=("x",), options={"side": 3}), "side"),
    ],
)
def test_options_of_a_corpus_are_checked_before_anything_runs(
    tmp_path: Path, corpus: CorpusOptions, message: str
) -> None:
    with pytest.raises(RecordingError, match=message):
        make_source(replace(RECIPE, corpora=(corpus,)), tmp_path)


def test_the_rate_warms_up_and_falls_to_nothing() -> None:
    options = OptimiserOptions(rate=2.0, warmup=4)
    rates = [options.rate_at(step, 20) for step in range(21)]
    assert rates[:4] == [0.5, 1.0, 1.5, 2.0]
    assert all(a >= b for a, b in itertools.pairwise(rates[3:]))
    assert rates[12] == pytest.approx(1.0)
    assert rates[20] == pytest.approx(0.0)

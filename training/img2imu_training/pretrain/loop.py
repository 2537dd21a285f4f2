"""The training loop, on one processor or many, with Lightning Fabric.

Everything random at a step follows from the seed, the process and the step's number; the learning rate
follows from the number alone. So a run that goes on from a saved state gives what it would have given without
the interruption, to the last bit on a CPU.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

import torch
from lightning_fabric import Fabric
from rich.console import Console
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from img2imu_edge.errors import TrainingError
from img2imu_training.backbones import Backbone, build_backbone
from img2imu_training.corpora import Batches
from img2imu_training.pretrain.checkpoint import (
    BackboneHeader,
    StateHeader,
    load_state,
    restore,
    save_backbone,
    save_state,
)
from img2imu_training.pretrain.probe import Probe
from img2imu_training.pretrain.recipe import PretrainRecipe
from img2imu_training.pretrain.report import Reporter
from img2imu_training.pretrain.steps import (
    finite_mean,
    interruptible,
    make_optimiser,
    share_of,
    step_seed,
)

_PRESENTATION = {"name", "description", "license", "workers", "checkpoint_every", "log_every", "probe"}
"""What may change between the parts of an interrupted run."""


@dataclass(frozen=True, slots=True)
class Pictures:
    """What one process learns from.

    Attributes:
        batches: Its batches.
        provenance: Of all corpora: kind, name, count, licence.
    """

    batches: Batches
    provenance: tuple[dict[str, Any], ...] = ()


Source = Callable[[int, int, int], Pictures]
"""From the number of a process, how many there are, and its pictures in a batch, to its pictures."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What to run on; the words are Lightning Fabric's.

    Attributes:
        accelerator: `auto`, `cpu`, `cuda`, `mps`.
        devices: How many on each node, or `auto`.
        nodes: How many nodes.
        strategy: `auto` or `ddp`.
    """

    accelerator: str = "auto"
    devices: int | str = "auto"
    nodes: int = 1
    strategy: str = "auto"


class _Steps(Dataset[Tensor]):
    """Batches by number, for a `DataLoader`."""

    def __init__(self, batches: Batches) -> None:
        self.batches = batches

    def __getitem__(self, step: int) -> Tensor:
        return self.batches.batch(step)


def pretrain(
    recipe: PretrainRecipe,
    source: Source,
    output: Path,
    machine: Machine = Machine(),
    resume: bool = False,
    probes: Callable[[], Sequence[Probe]] = tuple,
    console: Console | None = None,
) -> Backbone:
    """Pre-train a backbone as a recipe says, and write it.

    While it runs, its state lies next to the result as `….state.safetensors`, and a log as `….log.jsonl`.

    Args:
        recipe: What to do.
        source: The pictures; asked by the first process of each node, then by its others.
        output: Where the backbone goes (`.safetensors`).
        machine: What to run on.
        resume: Go on from the saved state, if there is one.
        probes: Loads labelled recordings to judge the backbone on, on the first process.
        console: Where to show progress.

    Raises:
        TrainingError: If the batch cannot be shared by the processes; if a saved state is in the way, or is
            of another recipe; if the loss is no longer finite; or after Ctrl-C, once the state is saved.
        ModelError: If the saved state is damaged.
    """
    fabric = Fabric(
        accelerator=machine.accelerator,
        strategy=machine.strategy,
        devices=machine.devices,
        num_nodes=machine.nodes,
        precision=recipe.precision,
    )
    fabric.launch()
    share = share_of(recipe.batch, fabric.world_size)
    first = fabric.is_global_zero
    with fabric.rank_zero_first(local=True):
        pictures = source(fabric.global_rank, fabric.world_size, share)
    run = _Run(recipe, fabric, output, probes() if first else (), pictures.provenance)
    start = run.prepare(resume)
    if fabric.broadcast(start) != start:
        raise TrainingError(
            f"the nodes do not see the same {run.state}; write to a directory that they share"
        )
    shown = console if console and first else Console(quiet=True)
    with Reporter(shown, run.log if first else None, start, recipe.steps, recipe.batch) as reporter:
        run.train(pictures.batches, start, reporter)
    if first:
        run.finish()
    fabric.barrier()
    return run.backbone.eval()


class _Run:
    """The parts of one run on one process."""

    def __init__(
        self,
        recipe: PretrainRecipe,
        fabric: Fabric,
        output: Path,
        probes: Sequence[Probe],
        provenance: tuple[dict[str, Any], ...],
    ) -> None:
        self.recipe, self.fabric, self.output, self.probes = recipe, fabric, output, probes
        self.provenance = provenance
        self.state = output.with_suffix(".state.safetensors")
        self.log = output.with_suffix(".log.jsonl")
        self.history: list[dict[str, Any]] = []
        torch.manual_seed(recipe.seed)
        self.backbone = build_backbone(recipe.backbone)
        self.objective = recipe.objective.build(self.backbone, recipe.picture.rows)
        self.on_gpu = fabric.device.type == "cuda"
        # Convolutions are quicker this way round: 1.1 to 2 times on a CPU, and where a GPU has tensor cores.
        self.objective.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if self.on_gpu and fabric.world_size > 1:
            nn.SyncBatchNorm.convert_sync_batchnorm(self.objective)  # type: ignore[no-untyped-call]
        self.optimiser = make_optimiser(self.objective, recipe.optimiser)
        self.model, self.stepper = fabric.setup(self.objective, self.optimiser)
        self.views = recipe.make_views().to(fabric.device)

    @property
    def described(self) -> dict[str, Any]:
        """The recipe as JSON has it."""
        return cast("dict[str, Any]", json.loads(json.dumps(asdict(self.recipe))))

    def prepare(self, resume: bool) -> int:
        """Load the saved state if asked to; returns the steps that are done."""
        if not self.state.exists():
            return 0
        if not resume:
            raise TrainingError(
                f"{self.state} is left from a run that did not end; go on with --resume, or remove it"
            )
        header, tensors = load_state(self.state)
        mine, theirs = self.described, header.recipe
        keys = (mine.keys() | theirs.keys()) - _PRESENTATION
        differing = sorted(key for key in keys if mine.get(key) != theirs.get(key))
        if differing:
            raise TrainingError(
                f"{self.state} was made with another {differing[0]!r}; go on with the recipe and options of "
                "then, or remove it to start anew"
            )
        restore(self.state, tensors, self.objective, self.optimiser)
        if header.scaler:
            self.fabric.strategy.precision.load_state_dict(header.scaler)
        self.history = list(header.probes)
        return header.step

    def train(self, batches: Batches, start: int, reporter: Reporter) -> None:
        """All steps that are left."""
        r = self.recipe
        loader = self.fabric.setup_dataloaders(
            DataLoader(
                _Steps(batches),
                batch_size=None,
                sampler=range(start, r.steps),
                num_workers=r.workers,
                pin_memory=self.on_gpu,
            ),
            use_distributed_sampler=False,
        )
        self.objective.train()
        if start == 0:
            self.probe(0, reporter)
        losses: list[Tensor] = []
        with interruptible(self.fabric.world_size == 1) as interrupted:
            for done, batch in enumerate(loader, start + 1):
                losses.append(self.step(done - 1, batch))
                reporter.advance(done)
                stop = interrupted.is_set()
                save = stop or (done % r.checkpoint_every == 0 and done < r.steps)
                if save or done % r.log_every == 0 or done == r.steps:
                    mean = finite_mean(losses, done)
                    reporter.losses(done, mean, r.optimiser.rate_at(done - 1, r.steps))
                    losses.clear()
                if done % r.probe.every == 0 or done == r.steps:
                    self.probe(done, reporter)
                if save and self.fabric.is_global_zero:
                    self.save(done)
                    reporter.restart_clock(done)
                if stop:
                    raise TrainingError(f"stopped after step {done}; go on with --resume")

    def step(self, number: int, batch: Tensor) -> Tensor:
        """One step of the optimiser; returns the loss, still on its device."""
        r = self.recipe
        torch.manual_seed(step_seed(r.seed, self.fabric.global_rank, number))
        rate = r.optimiser.rate_at(number, r.steps)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        with torch.no_grad():
            views = [view.contiguous(memory_format=torch.channels_last) for view in self.views(batch)]
        loss: Tensor = self.model(*views)
        self.fabric.backward(loss)
        self.fabric.clip_gradients(
            self.model, self.stepper, max_norm=r.optimiser.clip, error_if_nonfinite=False
        )
        self.stepper.step()
        self.stepper.zero_grad()
        return loss.detach()

    def probe(self, done: int, reporter: Reporter) -> None:
        """Judge the backbone, on the first process."""
        if not self.probes:
            return
        scores = {p.name: p.score(self.backbone, self.recipe.probe.per_class) for p in self.probes}
        self.history.append({"step": done, "macro_f1": scores})
        reporter.probe(done, scores)
        reporter.restart_clock(done)

    def save(self, done: int) -> None:
        """Save the state."""
        scaler = self.fabric.strategy.precision.state_dict() or None
        header = StateHeader(done, self.described, tuple(self.history), scaler)
        save_state(self.state, self.objective, self.optimiser, header)

    def finish(self) -> None:
        """Write the result; the state has served."""
        header = BackboneHeader(
            backbone=self.recipe.backbone,
            rows=self.recipe.picture.rows,
            columns=self.recipe.picture.columns,
            license=self.recipe.license,
            recipe=_without_folders(self.described),
            provenance=self.provenance,
            probes=tuple(self.history),
            versions={name: version(name) for name in ("img2imu-edge", "torch", "lightning-fabric")},
        )
        save_backbone(self.output, self.backbone, header)
        self.state.unlink(missing_ok=True)


def _without_folders(recipe: dict[str, Any]) -> dict[str, Any]:
    """A recipe for others to read: names of photographs, not where they lay on this machine."""
    corpora = [{**c, "paths": sorted(Path(path).name for path in c["paths"])} for c in recipe["corpora"]]
    return {**recipe, "corpora": corpora}

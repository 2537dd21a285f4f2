"""What `img2imu pretrain` does, once torch may be imported."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from img2imu_edge.errors import TrainingError
from img2imu_training.pretrain.data import make_source
from img2imu_training.pretrain.loop import Machine, pretrain
from img2imu_training.pretrain.probe import Probe, load_probes
from img2imu_training.pretrain.recipe import PretrainRecipe, read_pretrain_recipe

_PACKED_AT_ONCE = 64


def adapt(
    recipe: PretrainRecipe, images: tuple[Path, ...], steps: int | None, precision: str | None
) -> PretrainRecipe:
    """A recipe with what the command line says instead.

    Raises:
        TrainingError: If there are photographs and the recipe has no use for them.
    """
    if images:
        if not any(corpus.kind == "photographs" for corpus in recipe.corpora):
            raise TrainingError(f"{recipe.name} learns from no photographs; leave --images out")
        paths = tuple(str(path.expanduser().absolute()) for path in images)
        recipe = replace(
            recipe,
            corpora=tuple(replace(c, paths=paths) if c.kind == "photographs" else c for c in recipe.corpora),
        )
    if steps:
        warmup = min(recipe.optimiser.warmup, steps // 10)
        recipe = replace(recipe, steps=steps, optimiser=replace(recipe.optimiser, warmup=warmup))
    return replace(recipe, precision=precision) if precision else recipe  # type: ignore[arg-type]


def run(
    path: Path,
    output: Path,
    images: tuple[Path, ...],
    data: Path | None,
    cache: Path,
    resume: bool,
    steps: int | None,
    precision: str | None,
    machine: Machine,
    console: Console,
) -> None:
    """Pre-train as the command line says; see `pretrain_command`."""
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # its greetings
    recipe = adapt(read_pretrain_recipe(path), images, steps, precision)

    def packing(packed: int, skipped: int) -> None:
        if packed % 5000 < _PACKED_AT_ONCE:
            console.print(f"packing photographs, once: {packed:,} so far, {skipped} skipped", highlight=False)

    source = make_source(recipe, cache, packing)

    def probes() -> list[Probe]:
        names = recipe.probe.corpora
        here = tuple(name for name in names if name == "spar" or data is not None)
        if here != names:
            left = ", ".join(sorted(set(names) - set(here)))
            console.print(f"without --data DIR these are not probed: {left}")
        return load_probes(here, data, recipe.picture.spec, recipe.picture.layout)

    pretrain(recipe, source, output, machine, resume, probes, console)
    console.print(f"{output}: {output.stat().st_size / 1e6:.1f} MB")

"""`img2imu pretrain`: a recipe and pictures become a backbone.

The heavy imports are inside the command: the help of `img2imu` must not wait for torch, nor need it.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console


class PrecisionChoice(StrEnum):
    """Arithmetic of the steps."""

    FULL = "32-true"
    BFLOAT16 = "bf16-mixed"
    FLOAT16 = "16-mixed"


def pretrain_command(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE", help="Recipe, a TOML file.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Backbone to write.")] = Path(
        "backbone.safetensors"
    ),
    images: Annotated[
        list[Path] | None,
        typer.Option(
            "--images", help="Folder or tar shard of photographs, instead of the recipe's; repeat it."
        ),
    ] = None,
    data: Annotated[
        Path | None, typer.Option("--data", help="Directory of the labelled recordings that are probed.")
    ] = None,
    cache: Annotated[Path, typer.Option("--cache", help="Where photographs are packed, once.")] = Path(
        "~/.cache/img2imu/images"
    ),
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a run that was interrupted.")] = False,
    steps: Annotated[
        int | None, typer.Option("--steps", min=1, help="Steps, instead of the recipe's; for a first try.")
    ] = None,
    precision: Annotated[
        PrecisionChoice | None, typer.Option("--precision", help="Arithmetic, instead of the recipe's.")
    ] = None,
    accelerator: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    devices: Annotated[str, typer.Option(help="How many on each node, or auto.")] = "auto",
    nodes: Annotated[int, typer.Option(min=1, help="How many nodes.")] = 1,
    strategy: Annotated[str, typer.Option(help="auto, or ddp.")] = "auto",
) -> None:
    r"""Pre-train a backbone on pictures without labels: photographs, or images and motion made by formula.

    Needs: pip install 'img2imu-edge\[train]'

    Without any data:

        img2imu pretrain formula-only.toml -o backbone.safetensors

    On photographs of yours, packed once and probed on recordings:

        img2imu pretrain small.toml --images ~/photos --data ~/recordings

    ImageNet on eight GPUs; on four such nodes, run this on each under torchrun:

        img2imu pretrain imagenet-resnet18.toml --images imagenet --devices 8

    The recipes are in training/recipes/pretrain. Ctrl-C saves the run; the same
    command with --resume goes on from there, as if nothing had happened.
    """
    from img2imu_training.pretrain.command import run
    from img2imu_training.pretrain.loop import Machine

    console = Console(stderr=True)
    machine = Machine(accelerator, int(devices) if devices.isdecimal() else devices, nodes, strategy)
    run(
        recipe,
        output,
        images=tuple(images or ()),
        data=data,
        cache=cache.expanduser(),
        resume=resume,
        steps=steps,
        precision=precision.value if precision else None,
        machine=machine,
        console=console,
    )


app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode="rich", help=__doc__)
app.command("pretrain")(pretrain_command)

if __name__ == "__main__":
    app()

"""Commands: `train` a recipe into a checkpoint, `evaluate` it on held-out people.

The heavy imports are inside the commands: the help of `img2imu` must not wait for torch, nor need it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from img2imu_training.console import Bars

RecipePath = Annotated[Path, typer.Argument(metavar="RECIPE", help="Recipe, a TOML file.")]
DataPath = Annotated[Path | None, typer.Option("--data", help="Directory of further corpora.")]


def train_command(
    recipe: RecipePath,
    output: Annotated[Path, typer.Option("--output", "-o", help="Checkpoint to write (.safetensors).")],
    data: DataPath = None,
) -> None:
    r"""Train a model as a recipe says, with its decisions calibrated on held-out people.

    Needs: pip install 'img2imu-edge\[train]'

    Example: img2imu train training/recipes/shoulder.toml -o shoulder.safetensors
    """
    import torch

    from img2imu_training.checkpoint import save
    from img2imu_training.outputs import make_room
    from img2imu_training.recipe import read_recipe
    from img2imu_training.train import train

    make_room(output, "-o")
    plan = read_recipe(recipe)
    torch.set_num_threads(1)  # sums in one order, so that the same seed gives the same bits
    with Bars(Console(stderr=True)) as bars:
        trained = train(plan, plan.corpus(data), bars)
    save(output, trained.net, trained.card)
    score = trained.card.metrics["leave_subjects_out"]
    Console().print(
        f"{output}: {output.stat().st_size / 1000:.0f} kB; macro-F1 on held-out people "
        f"{score['macro_f1']:.3f} ± {score['spread']:.3f} ({score['networks']} networks)"
    )


def evaluate_command(recipe: RecipePath, data: DataPath = None) -> None:
    r"""Judge a recipe on held-out people, over several groupings and seeds.

    Needs: pip install 'img2imu-edge\[train]'

    Example: img2imu evaluate training/recipes/shoulder.toml
    """
    import numpy as np
    import torch

    from img2imu_training.evaluate import held_out
    from img2imu_training.recipe import read_recipe
    from img2imu_training.train import fit_metric

    plan = read_recipe(recipe)
    torch.set_num_threads(1)
    corpus = plan.corpus(data)
    learner = plan.learner(corpus.rate)
    table = Table("seed", "held out", "macro-F1", title=f"{plan.name}: leave-subjects-out")
    scores = []
    with Bars(Console(stderr=True), transient=True) as bars:
        fit_metric(learner, bars)
        for seed in range(plan.seed, plan.seed + plan.evaluation.seeds):
            for fold in held_out(plan, corpus, learner, seed, bars):
                scores.append(fold.macro_f1)
                table.add_row(str(seed), " ".join(fold.test), f"{fold.macro_f1:.3f}")
    table.add_section()
    table.add_row("", "mean ± standard deviation", f"{np.mean(scores):.3f} ± {np.std(scores, ddof=1):.3f}")
    Console().print(table)


def demo_command(
    output: Annotated[Path | None, typer.Option("--output", "-o", help="CSV to write.")] = None,
) -> None:
    """Make the demo's recording anew from the SPAR data."""
    from img2imu_training import demo

    Console().print(str(demo.write(output)))


app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__)
app.command("train")(train_command)
app.command("evaluate")(evaluate_command)
app.command("demo-recording")(demo_command)

if __name__ == "__main__":
    app()

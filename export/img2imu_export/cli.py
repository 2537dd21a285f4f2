"""`img2imu export`: a checkpoint to model files, each checked against it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from img2imu_edge.errors import ModelError
from img2imu_export.evidence import Evidence, gather
from img2imu_export.extras import need
from img2imu_export.pipeline import Export, shown
from img2imu_export.pipeline import export as run
from img2imu_export.report import Bounds, Comparison
from img2imu_export.targets import Options, Trained, find_target, target_names


def export(
    checkpoint: Annotated[
        Path, typer.Argument(metavar="CHECKPOINT", help="A .safetensors file from img2imu train.")
    ],
    to: Annotated[
        list[str] | None,
        typer.Option("--to", help=f"Kind of file, again for more: {', '.join(target_names())}."),
    ] = None,
    raw: Annotated[
        bool,
        typer.Option("--raw", help="The graph takes samples in SI units and draws its picture itself."),
    ] = False,
    output: Annotated[Path, typer.Option("--output", "-o", help="Directory to write to.")] = Path(),
    corpus: Annotated[
        str | None,
        typer.Option("--corpus", help="Recordings it was trained on: spar, or a file or folder in --data."),
    ] = None,
    data: Annotated[Path | None, typer.Option("--data", help="Directory of corpora.")] = None,
    windows: Annotated[
        int, typer.Option("--windows", min=1, help="Training windows to find the ranges of values on.")
    ] = 1024,
    min_agreement: Annotated[
        float, typer.Option("--min-agreement", help="Least share of windows decided as by the checkpoint.")
    ] = Bounds.agreement,
    max_f1_loss: Annotated[
        float, typer.Option("--max-f1-loss", help="Most macro-F1 to lose, as a share.")
    ] = Bounds.f1_loss,
) -> None:
    """Export a trained model, and check each file against it on people it was not trained on.

    Fails when a file decides differently from the checkpoint on more windows than allowed; a file that fails
    keeps the ending .rejected.

    Examples:
      img2imu export shoulder.safetensors -o models

      img2imu export shoulder.safetensors --to onnx-int8 --to onnx-fp32 -o models
    """
    try:
        targets = [find_target(name) for name in dict.fromkeys(to or ["onnx-int8", "tflite-int8"])]
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--to") from error
    console = Console()
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(file=sys.stderr), transient=True) as progress:
        task = progress.add_task("reading the recordings", total=None)
        net, card = need("img2imu_training.checkpoint").load(checkpoint)
        evidence = gather(card, corpus, data, windows)
        options = Options("samples" if raw else "picture")
        trained = Trained(net, card, evidence.calibration, shown(card, evidence.calibration, Options()))
        done = run(
            trained,
            evidence,
            targets,
            options,
            Bounds(min_agreement, max_f1_loss),
            output,
            checkpoint.stem,
            tell=lambda what: progress.update(task, description=what),
        )
    console.print(_table([export.comparison for export in done if export.comparison], evidence))
    _judge(done)


def _judge(done: Sequence[Export]) -> None:
    """Fail if a file is too far from the network.

    Raises:
        ModelError: If there is one; the message says what is wrong with each.
    """
    complaints = [
        f"{', '.join(path.name for path in export.files)}: {'; '.join(export.objections)}"
        for export in done
        if export.objections
    ]
    if complaints:
        raise ModelError(
            "\n".join(complaints) + "\ntry more calibration windows (--windows), or loosen the bounds"
        )


def _table(comparisons: Sequence[Comparison], evidence: Evidence) -> Table:
    first = comparisons[0]
    table = Table(
        title=f"{first.windows} windows of people "
        f"{'kept out of' if evidence.strangers else 'in'} training ({', '.join(evidence.people)});\n"
        f"the checkpoint's macro-F1 on them is {first.float_f1:.4f}",
        box=None,
    )
    headings = ("file", "kB", "logit error:\nmax", "\nmean", "same\nlabel", "macro-\nF1", "ms", "rel.\ntime")
    for heading in headings:
        table.add_column(heading, justify="left" if heading == "file" else "right", no_wrap=True)
    for c in comparisons:
        table.add_row(
            c.file,
            f"{c.size / 1000:.0f}",
            f"{c.max_error:.2g}",
            f"{c.mean_error:.2g}",
            f"{c.agreement:.2%}",
            f"{c.f1:.4f}",
            f"{c.milliseconds:.3f}",
            f"{c.relative_time:.1f}",
        )
    return table

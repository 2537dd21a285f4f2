"""`img2imu export`: a checkpoint to model files, each checked against it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Column
from rich.text import Text

from img2imu_edge.errors import ModelError
from img2imu_export.advice import complaint
from img2imu_export.auto import Choice, Device, choose, device_names
from img2imu_export.bundle import KINDS, Kind, bundle_exported
from img2imu_export.evidence import Evidence, gather
from img2imu_export.extras import need
from img2imu_export.pipeline import AUTO, Adapt, Export, Exporter, Tell, check_layers, shown, take_times
from img2imu_export.report import Bounds
from img2imu_export.tables import show
from img2imu_export.targets import Options, Trained, find_target, target_names
from img2imu_export.write import check_writable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from img2imu_training.network import Network

_DEFAULT = ("onnx-int8", "tflite-int8")
_PHONE_DEFAULT = ("onnx-fp32",)


def export(
    checkpoint: Annotated[
        Path, typer.Argument(metavar="CHECKPOINT", help="A .safetensors file from img2imu finetune or train.")
    ],
    to: Annotated[
        list[str] | None,
        typer.Option(
            "--to",
            metavar="TARGET",
            help="Kind of file, again for more: "
            f"{', '.join(target_names())}; onnx or tflite for all of that kind; auto for the best one "
            f"for a device.  [default: {', '.join(_DEFAULT)}]",
        ),
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(
            "--for",
            metavar="DEVICE",
            help=f"With --to auto, for which: {', '.join(device_names())}. Measured if this machine is one.",
        ),
    ] = None,
    raw: Annotated[
        bool,
        typer.Option("--raw", help="The graph takes samples in SI units and draws its picture itself."),
    ] = False,
    phones: Annotated[
        list[str] | None,
        typer.Option(
            "--bundle",
            metavar="PHONE",
            help=f"Also a sample app around the ONNX file, for {' or '.join(KINDS)}; goes with --raw, and "
            f"makes {_PHONE_DEFAULT[0]} unless --to says otherwise.",
        ),
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Directory to write to.")] = Path(),
    report: Annotated[
        Path | None,
        typer.Option("--report", help="Also write all figures here: .html for people, .json for programs."),
    ] = None,
    corpus: Annotated[
        str | None,
        typer.Option("--corpus", help="Recordings it was trained on: spar, or a file or folder in --data."),
    ] = None,
    data: Annotated[Path | None, typer.Option("--data", help="Directory of corpora.")] = None,
    windows: Annotated[
        int, typer.Option("--windows", min=1, help="Training windows to find the ranges of values on.")
    ] = 512,
    keep_float: Annotated[
        list[str] | None,
        typer.Option(
            "--keep-float",
            metavar="LAYER",
            help="Layer that stays float32, again for more, such as backbone.stages.3; auto: as many as it "
            "takes, the noisiest first.",
        ),
    ] = None,
    qat: Annotated[
        int,
        typer.Option(
            "--qat",
            min=0,
            metavar="STEPS",
            help="Fine-tune a copy for integers by so many steps, such as 300.",
        ),
    ] = 0,
    min_agreement: Annotated[
        float, typer.Option("--min-agreement", help="Least share of windows decided as by the checkpoint.")
    ] = Bounds.agreement,
    max_f1_loss: Annotated[
        float, typer.Option("--max-f1-loss", help="Most macro-F1 to lose, as a share.")
    ] = Bounds.f1_loss,
) -> None:
    """Export a trained model, and check each file against it on people it was not trained on.

    Every file is run here on people who were kept out of training. One that
    decides otherwise than the checkpoint on more than 1 % of their windows, or
    loses more than a point of macro-F1, keeps the ending .rejected, and the
    command fails: it says which layers rounding hurt, and what to do.

    Examples:
      img2imu export shoulder.safetensors -o models

      img2imu export shoulder.safetensors --to onnx --report export.html

      img2imu export shoulder.safetensors --to auto --for arm64 -o models

      img2imu export shoulder.safetensors --to tflite-int8 --keep-float auto

      img2imu export shoulder.safetensors --bundle android --bundle ios -o models
    """
    kinds = _kinds(phones)
    wanted = _wanted(to or (_PHONE_DEFAULT if kinds else None), device)
    if kinds and not any(name.startswith("onnx-") for name in wanted):
        told = "add" if wanted else "instead of auto, which may choose another kind, give"
        raise typer.BadParameter(f"the app runs ONNX; {told}: --to onnx-fp32", param_hint="--bundle")
    if report is not None and report.suffix not in (".html", ".json"):
        raise typer.BadParameter("give a name that ends in .html or .json", param_hint="--report")
    errors = Console(stderr=True)
    for folder in (output, report.parent if report else output):
        check_writable(folder)
    with _progress(errors) as tell:
        tell("reading the checkpoint")
        net, card = need("img2imu_training.checkpoint").load(checkpoint)
        check_layers(net, [name for name in keep_float or () if name != AUTO])
        tell("reading the recordings")
        evidence = gather(card, corpus, data, windows)
        trained = Trained(net, card, evidence.calibration, shown(card, evidence.calibration, Options()))
        options = Options("samples" if raw or kinds else "picture", tuple(keep_float or ()))
        bounds = Bounds(min_agreement, max_f1_loss)
        exporter = Exporter(
            trained, evidence, options, bounds, checkpoint.stem, _adapter(trained, evidence, qat, tell), tell
        )
        choice: Choice | None = None
        if wanted:
            made = take_times([exporter.make(name, find_target(name)) for name in wanted], tell)
            made = [exporter.write(one, output) for one in made]
        else:
            choice = choose(exporter, cast(Device, device), tell)
            made = [
                exporter.write(one, output) if one is choice.chosen or not choice.chosen else one
                for one in choice.made
            ]
        if report is not None:
            need("img2imu_export.page").write(report, card, made, evidence, options, choice)
    for notice in evidence.notices:
        errors.print(Text.assemble(("warning: ", "bold yellow"), notice))
    console = Console()
    show(console, made, evidence)
    _judge(made, choice, console, windows)
    if kinds:
        files = [path for one in made for path in one.files]
        for folder in bundle_exported(kinds, files, output, checkpoint.stem):
            console.print(Text(f"wrote {folder}; its README.md says how to build it"))


def _kinds(phones: Sequence[str] | None) -> list[Kind]:
    """Whose phones to write an app for.

    Raises:
        typer.BadParameter: If a name is not known.
    """
    if unknown := [name for name in phones or () if name not in KINDS]:
        raise typer.BadParameter(f"give {' or '.join(KINDS)}, not {unknown[0]}", param_hint="--bundle")
    return [kind for kind in KINDS if kind in (phones or ())]


def _wanted(to: Sequence[str] | None, device: str | None) -> list[str]:
    """Names of the targets to make; none of `auto`.

    Raises:
        typer.BadParameter: If a name stands for nothing, or `auto` and a device do not come together.
    """
    names: list[str] = []
    for name in to or _DEFAULT:
        family = [known for known in target_names() if known.startswith(f"{name}-")]
        names += [name] if name in target_names() else family or [name]
    if AUTO in names:
        if set(names) != {AUTO}:
            raise typer.BadParameter("auto chooses by itself; leave the others out", param_hint="--to")
        if device not in device_names():
            given = f", not {device}" if device else ""
            raise typer.BadParameter(f"say for which: {', '.join(device_names())}{given}", param_hint="--for")
        return []
    if device is not None:
        raise typer.BadParameter("it goes with --to auto", param_hint="--for")
    try:
        for name in names:
            find_target(name)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--to") from error
    return list(dict.fromkeys(names))


def _adapter(trained: Trained, evidence: Evidence, steps: int, tell: Tell) -> Adapt:
    """Adapts the network once for each size of integers."""
    if not steps:
        return lambda name: None
    evidence.check()
    qat = need("img2imu_export.qat")

    @cache
    def adapted(limit: int) -> Network:
        def progress(step: int, loss: float) -> None:
            tell(f"fine-tuning for weights up to {limit}: step {step} of {steps}, loss {loss:.5f}")

        net: Network = qat.adapt(trained.net, trained.pictures, steps, limit, progress=progress)
        return net

    return lambda name: adapted(qat.WEIGHT_LIMITS[name]) if name in qat.WEIGHT_LIMITS else None


def _judge(made: Sequence[Export], choice: Choice | None, console: Console, windows: int) -> None:
    """Say what was chosen; fail if a file is too far from the network.

    Raises:
        ModelError: If there is one; the message says what is wrong with each, and what to do.
    """
    if choice is not None:
        for name, why in choice.missing:
            console.print(f"{name} was not tried: {why}")
        if choice.chosen is not None:
            console.print(Text.assemble(("chosen ", "bold green"), str(choice)))
            return
    if said := complaint(made, windows):
        raise ModelError(said if choice is None else f"{choice}\n{said}")


@contextmanager
def _progress(console: Console) -> Iterator[Tell]:
    """A line that says what is being done, and for how long."""
    words = TextColumn(
        "{task.description}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis")
    )
    with Progress(SpinnerColumn(), words, TimeElapsedColumn(), console=console, transient=True) as bar:
        task = bar.add_task("")
        yield lambda what: bar.update(task, description=what)

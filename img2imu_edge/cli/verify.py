"""`img2imu verify`: does a model file compute here what was trained?"""

from __future__ import annotations

import json as jsonlib
import math
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from img2imu_edge.cli.options import TrustedKeyOption
from img2imu_edge.errors import Img2ImuError, MissingExtraError, ModelError
from img2imu_edge.model import Model, load_model, shipped_files
from img2imu_edge.signature import fingerprint_of
from img2imu_edge.verify import Stage, demand
from img2imu_edge.verify import verify as replay


@dataclass(frozen=True)
class Outcome:
    """What came out for one file.

    Attributes:
        file: As it was asked for.
        model: The loaded model; None if it could not be loaded.
        stages: Its stages; empty if it could not be replayed.
        error: What is wrong; None if nothing is.
        skipped: Whether it is one of several, and its engine is not installed.
    """

    file: str
    model: Model | None = None
    stages: tuple[Stage, ...] = ()
    error: Img2ImuError | None = None
    skipped: bool = False


def verify(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="MODEL",
            help="Model files or shipped names, such as shoulder; all shipped files if none is named.",
            show_default=False,
        ),
    ] = None,
    trusted_key: TrustedKeyOption = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object for machines.")] = False,
) -> None:
    """Check that a model computes on this machine what was trained.

    A model file brings a few real windows, and what the trained network
    made of them. They are replayed stage by stage: samples to picture,
    picture to logits, logits to decision. The largest error of each stage is
    shown, its place, and the bound that the file's card sets. Beyond a bound
    the exit status is 1, and the message names the stage.

    The SHA-256 of the network and of the windows are checked too, which finds
    damage. Whoever changes a file on purpose can change them along with it:
    against that there is --trusted-key.

    Examples:
      img2imu verify

      img2imu verify walk.onnx walk.tflite --json

      img2imu verify walk.onnx --trusted-key maker.pub.pem
    """
    if trusted_key is not None:
        fingerprint_of(trusted_key)  # one message for a bad key, not one for each file
    files = models or [str(path) for path in shipped_files()]
    outcomes = [_outcome(file, trusted_key, several=not models) for file in files]
    if json:
        typer.echo(jsonlib.dumps(_as_dict(outcomes, trusted_key), ensure_ascii=False))
    else:
        _show(outcomes, trusted_key)
    _judge(outcomes)


def _outcome(file: str, trusted_key: Path | None, several: bool) -> Outcome:
    model: Model | None = None
    stages: tuple[Stage, ...] = ()
    try:
        model = load_model(file, trusted_key)
        stages = replay(model)
        demand(stages)
    except Img2ImuError as error:
        return Outcome(file, model, stages, error, several and isinstance(error, MissingExtraError))
    return Outcome(file, model, stages)


def _judge(outcomes: Sequence[Outcome]) -> None:
    """Raise what is wrong, so that it is told once and the exit status is 1."""
    wrong = [outcome for outcome in outcomes if outcome.error and not outcome.skipped]
    if not wrong and all(outcome.skipped for outcome in outcomes):
        wrong = list(outcomes)
    if not wrong:
        return
    first = wrong[0]
    told = str(first.error) if first.model is None else f"{first.model.path}: {first.error}"
    if len(outcomes) > 1:
        told = f"{len(wrong)} of {len(outcomes)} files failed; {told}"
    raise ModelError(told)


def _show(outcomes: Sequence[Outcome], trusted_key: Path | None) -> None:
    console = Console()
    console.print(Text(f"on {_machine()}", style="dim"), soft_wrap=True)
    for outcome in outcomes:
        console.print()
        model = outcome.model
        if model is None:
            mark = ("skipped", "yellow") if outcome.skipped else ("FAILED", "bold red")
            console.print(Text.assemble((outcome.file, "bold"), "  ", mark), soft_wrap=True)
            if outcome.skipped or len(outcomes) > 1:
                console.print(Text(f"  {outcome.error}", style="dim"))
            continue
        mark = ("FAILED", "bold red") if outcome.error else ("ok", "bold green")
        console.print(Text.assemble((str(model.path), "bold"), "  ", mark), soft_wrap=True)
        for fact in _facts(model, trusted_key):
            console.print(Text(f"  {fact}", style="dim"), soft_wrap=True)
        if outcome.stages:
            console.print(_table(outcome.stages))
        elif len(outcomes) > 1:
            console.print(Text(f"  {outcome.error}", style="red"))


def _table(stages: Sequence[Stage]) -> Table:
    table = Table(box=None, padding=(0, 1), pad_edge=True)
    table.add_column(" stage", style="cyan", no_wrap=True)
    table.add_column("error", justify="right", no_wrap=True)
    table.add_column("bound", justify="right", no_wrap=True)
    table.add_column("")
    table.add_column("where", style="dim", overflow="fold")
    for stage in stages:
        mark = Text("ok", "green") if stage.passed else Text("FAIL", "bold red")
        bound = "" if stage.bound is None else f"{stage.bound:g}"
        shown = mark if stage.bound is not None else Text("")
        table.add_row(f" {stage.name}", f"{stage.error:.2g}", bound, shown, Text(stage.where))
    return table


def _facts(model: Model, trusted_key: Path | None) -> list[str]:
    facts = [f"{model.engine.name}; SHA-256 as its card says"]
    if model.signer is None:
        facts[0] += "; not signed"
    elif trusted_key is None:
        facts.append(f"says it is signed with {model.signer}: check with --trusted-key")
    else:
        facts.append(f"signed with the trusted key {model.signer}")
    if model.card.input.form == "samples":
        facts.append("its graph draws the picture itself; ours, for the screen, is checked too")
    return facts


def _machine() -> str:
    return f"{platform.machine()}, {platform.system()}, Python {platform.python_version()}"


def _as_dict(outcomes: Sequence[Outcome], trusted_key: Path | None) -> dict[str, Any]:
    return {
        "passed": not any(outcome.error and not outcome.skipped for outcome in outcomes),
        "machine": _machine(),
        "files": [_file(outcome, trusted_key) for outcome in outcomes],
    }


def _file(outcome: Outcome, trusted_key: Path | None) -> dict[str, Any]:
    model = outcome.model
    found: dict[str, Any] = {
        "file": str(model.path) if model else outcome.file,
        "passed": None if outcome.skipped else outcome.error is None,
        "error": str(outcome.error) if outcome.error else None,
    }
    if model:
        found |= {
            "engine": model.engine.name,
            "sha256": model.card.sha256,
            "signer": model.signer,
            "signature_checked": trusted_key is not None,
        }
    return {**found, "stages": [_stage(stage) for stage in outcome.stages]}


def _stage(stage: Stage) -> dict[str, Any]:
    """As plain data; JSON has no NaN, so that an error that is none is null."""
    return {
        "stage": stage.name,
        "error": stage.error if math.isfinite(stage.error) else None,
        "bound": stage.bound,
        "where": stage.where,
        "passed": stage.passed,
    }

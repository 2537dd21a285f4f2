"""`img2imu classify`: a recording, start to end."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from img2imu_edge.cli.options import EnrolledOption, JsonFlag, ModelOption, TrustedKeyOption
from img2imu_edge.decision import Decision
from img2imu_edge.enrol.apply import load_personal
from img2imu_edge.evaluation import answered, macro_f1
from img2imu_edge.model import load_model
from img2imu_edge.offline import classify_recording
from img2imu_edge.recording import Recording, read_recording
from img2imu_edge.sanity import check_samples
from img2imu_edge.sinks.csv import write_csv
from img2imu_edge.sinks.jsonl import write_jsonl

_CHECKED_S = 600.0
"""Wrong units show in the first minutes; hours would take seconds to look through."""


def classify(
    model: ModelOption,
    recording: Annotated[
        Path | None,
        typer.Argument(
            metavar="RECORDING",
            help="A CSV with the columns time, acc_x, acc_y, acc_z and perhaps gyr_x, gyr_y, gyr_z, label.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="Also write the decisions there: a .csv file, or one line of JSON each; with --batch: a "
            ".parquet, .jsonl or .csv file.",
        ),
    ] = None,
    enrolled: EnrolledOption = None,
    json: JsonFlag = False,
    trusted_key: TrustedKeyOption = None,
    why: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", help="Show instead what the decision at that time rests on."),
    ] = None,
    batch: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATTERN",
            help="Classify all recordings of this name, such as 'data/**/*.csv', into --out.",
        ),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="With --batch: processes, instead of one a core.")
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option(metavar="tcp://HOST:PORT", help="With --batch: a Dask scheduler whose workers do it."),
    ] = None,
) -> None:
    """Classify a recording, or an archive of them; the decisions are those that a live stream of it gives.

    Units are seconds, m/s² and rad/s. Where the recording has labels, the
    macro-F1 is shown too.

    Examples:
      img2imu classify run.csv --model shoulder

      img2imu classify run.csv --model shoulder.tflite --json | tail -1

      img2imu classify run.csv --model shoulder --why 12.5

      img2imu classify --batch 'data/**/*.csv' --model shoulder -o all.parquet

    An archive may be stopped at any time; the same command continues. Exit
    status: 0, 1 for what stops everything, 3 if recordings were skipped.
    """
    if why is not None and (json or out or batch):
        raise typer.BadParameter(
            "it shows a picture, and takes no --json, --out or --batch", param_hint="--why"
        )
    if batch:
        if enrolled:
            raise typer.BadParameter("it takes one RECORDING, and no --batch", param_hint="--enrolled")
        if recording or not out:
            raise typer.BadParameter("it takes --out FILE, and no RECORDING", param_hint="--batch")
        from img2imu_edge.cli.batch import classify_batch

        loaded = load_model(model, trusted_key)
        raise typer.Exit(classify_batch(batch, loaded, out, workers, cluster, json))
    if not recording:
        raise typer.BadParameter("name a RECORDING, or many with --batch")
    if workers or cluster:
        raise typer.BadParameter("it goes with --batch", param_hint="--workers" if workers else "--cluster")
    if out and out.suffix.lower() == ".parquet":
        raise typer.BadParameter(
            f"Parquet is written by: --batch {recording} --out {out}", param_hint="--out"
        )
    loaded = load_personal(model, enrolled, trusted_key)
    read = read_recording(recording)
    decisions = classify_recording(read, loaded)
    if why is not None:
        from img2imu_edge.cli.why import show_why

        show_why(read, loaded, decisions, why)
        raise typer.Exit
    if out and out.suffix.lower() == ".csv":
        write_csv(out, read.name, decisions, loaded.card.labels)
    elif out:
        write_jsonl(out, read.name, decisions)
    if json:
        write_jsonl(None, read.name, decisions)
    else:
        _show(read, decisions, loaded.window_samples / loaded.card.input.rate)


def _show(recording: Recording, decisions: Sequence[Decision], window_s: float) -> None:
    console = Console()
    title = Text(f"{recording.name}: {len(recording):,} samples, {recording.rate:g} Hz")
    table = Table(title=title, box=None)
    for heading in ("from", "to", "label", "confidence", "coverage"):
        table.add_column(heading, justify="left" if heading == "label" else "right")
    for stretch in _stretches(decisions):
        first, last = stretch[0], stretch[-1]
        mean = sum(d.confidence for d in stretch) / len(stretch)
        covered = sum(d.coverage for d in stretch) / len(stretch)
        label = Text(first.label) if first.label else Text(first.status.replace("_", " "), "dim")
        shown = f"{mean:.0%}" if first.status == "ok" else ""
        table.add_row(f"{first.time:.1f} s", f"{last.time:.1f} s", label, shown, f"{covered:.0%}")
    console.print(table)
    if not decisions:
        console.print(f"too short: a decision needs a window of {window_s:.1f} s", style="yellow")
    begin = slice(round(_CHECKED_S * recording.rate))
    for finding in check_samples(
        recording.times[begin], recording.values[begin], recording.channels, recording.rate
    ):
        console.print(Text(finding.text, "yellow"), soft_wrap=not console.is_terminal)
    if recording.dropped:
        console.print(f"{recording.dropped} rows had missing values and count as gaps", style="yellow")
    if recording.labels is not None and decisions:
        truth, predicted = answered(recording, decisions, window_s)
        console.print(f"macro-F1 {macro_f1(truth, predicted):.3f} over {len(truth)} labelled windows")


def _stretches(decisions: Sequence[Decision]) -> list[list[Decision]]:
    """Runs of decisions with the same label and status."""
    runs: list[list[Decision]] = []
    for decision in decisions:
        if runs and (runs[-1][-1].label, runs[-1][-1].status) == (decision.label, decision.status):
            runs[-1].append(decision)
        else:
            runs.append([decision])
    return runs

"""`img2imu enroll`: a new class, or this wearer's way of a known one, from a few guided repeats."""

from __future__ import annotations

import asyncio
import json
import shlex
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from img2imu_edge.cli.enroll_guide import guided
from img2imu_edge.cli.options import JsonFlag, ModelOption, TrustedKeyOption
from img2imu_edge.enrol.learn import LEAST_REPEATS, Lesson, learn
from img2imu_edge.enrol.perform import perform, repeat_seconds, stretches
from img2imu_edge.enrol.profile import (
    MOST_REPEATS,
    Profile,
    check_label,
    new_profile,
    read_profile,
    write_profile,
)
from img2imu_edge.errors import RecordingError
from img2imu_edge.model import Model, load_model, shipped_models
from img2imu_edge.recording import read_recording
from img2imu_edge.source import open_source


def enroll(
    model: ModelOption,
    source: Annotated[
        str | None, typer.Argument(metavar="[SOURCE]", help="serial:///dev/ttyUSB0, ble://…")
    ] = None,
    label: Annotated[
        str | None,
        typer.Option("--label", "-l", help="A new class, or one of the model's to adapt to this wearer."),
    ] = None,
    repeats: Annotated[
        int, typer.Option("--repeats", "-n", min=LEAST_REPEATS, max=MOST_REPEATS, help="How often to do it.")
    ] = 5,
    recording: Annotated[
        Path | None,
        typer.Option("--from", metavar="CSV", help="A recording instead of a source; its labels say where."),
    ] = None,
    seconds: Annotated[
        float, typer.Option(min=0, max=600, help="Length of a repeat; 0: the model's window and a second.")
    ] = 0.0,
    countdown: Annotated[float, typer.Option(min=0, max=60, help="Seconds before each repeat.")] = 3.0,
    profile: Annotated[
        Path | None,
        typer.Option("--profile", "-p", metavar="JSON", help="Where to keep it; else MODEL.enrolled.json."),
    ] = None,
    show: Annotated[bool, typer.Option("--list", help="Show what is enrolled.")] = False,
    remove: Annotated[str | None, typer.Option("--remove", metavar="LABEL", help="Forget a class.")] = None,
    undo: Annotated[bool, typer.Option("--undo", help="Take the last change back.")] = False,
    json_lines: JsonFlag = False,
    trusted_key: TrustedKeyOption = None,
) -> None:
    """Teach a model something new on the device, in a minute and without training.

    Do it a few times when told to. A label that the model knows adapts that
    class to this wearer; enrol again to add repeats. What is learned is a file
    of numbers beside the model, MODEL.enrolled.json, or in the current folder
    for a shipped model. The model itself is not changed.

    Examples:
      img2imu enroll ble://C8:2B:96:A1:00:01 --label wave --model shoulder

      img2imu enroll --from recording.csv --label wave --model shoulder

      img2imu enroll --list --model shoulder
    """
    actions = [show, remove is not None, undo, source is not None or recording is not None]
    if sum(actions) != 1 or (source is not None and recording is not None):
        raise RecordingError("give a SOURCE, or --from CSV, or one of --list, --remove LABEL and --undo")
    loaded = load_model(model, trusted_key)
    path = profile or _beside(model)
    known = read_profile(path, loaded) if path.exists() or not actions[3] else new_profile(loaded)
    console = Console(stderr=json_lines)
    if actions[3]:
        if label is None:
            raise RecordingError("say what it is: --label my-gesture")
        check_label(label.strip())  # before anybody moves for it
        lesson = _learn(
            loaded, known, label.strip(), source, recording, (repeats, seconds, countdown), console
        )
        write_profile(path, lesson.profile)
        place = shlex.join(["--model", model, *(["--profile", str(profile)] if profile else [])])
        _tell(lesson, label.strip(), loaded, path, place, console, json_lines)
        return
    if not show:
        known = known.undone() if undo else known.removed((remove or "").strip())
        write_profile(path, known)
    _show(known, loaded, path, console, json_lines)


def _beside(model: str) -> Path:
    """Where a model's profile lies: beside its file; of a shipped one, right here: its folder is not ours."""
    if model in shipped_models():
        return Path(f"{model}.enrolled.json")
    path = Path(model)
    return path.with_name(f"{path.name}.enrolled.json")


def _learn(
    model: Model,
    profile: Profile,
    label: str,
    source: str | None,
    recording: Path | None,
    how: tuple[int, float, float],
    console: Console,
) -> Lesson:
    repeats, seconds, countdown = how
    seconds = seconds or repeat_seconds(model)
    window = model.window_samples / model.card.input.rate
    if seconds < window:
        raise RecordingError(f"a repeat must last {window:g} s at least, this model's window: --seconds")
    if recording is not None:
        read = read_recording(recording)
        parts = [block for _, block in zip(range(repeats), stretches(read, label, seconds), strict=False)]
        performances = [perform(model, read.rate, [part]) for part in parts]
    else:
        performances = asyncio.run(
            guided(open_source(source or ""), model, label, repeats, seconds, countdown, console)
        )
    return learn(model, profile, label, performances)


def _tell(
    lesson: Lesson, label: str, model: Model, path: Path, place: str, console: Console, json_lines: bool
) -> None:
    """Say what was learned."""
    new = label not in model.card.labels
    if json_lines:
        told = {
            "event": "enrolled",
            "label": label,
            "new": new,
            "repeats": lesson.used,
            "left_out": lesson.left_out,
            "recognised": round(lesson.recognised, 4),
            "profile": str(path),
        }
        typer.echo(json.dumps(told, ensure_ascii=False))
        return
    for reason in lesson.left_out:
        console.print(Text(f"left out: {reason}", style="yellow"))
    done = f"{'learned' if new else 'adapted to this wearer'} from {lesson.used} repeats; "
    done += f"each was recognised from the others in {lesson.recognised:.0%} of its windows"
    console.print(Text.assemble((label, "bold green"), f": {done}"), soft_wrap=True)
    back = f"kept in {path}; to take it back: img2imu enroll --undo {place}"
    console.print(Text(back, style="dim"), soft_wrap=True)
    name, where = shlex.quote(shlex.split(place)[1]), shlex.quote(str(path))
    then = f"Next: img2imu run SOURCE --model {name} --enrolled {where}"
    console.print(Text(then, style="dim"), soft_wrap=True)


def _show(profile: Profile, model: Model, path: Path, console: Console, json_lines: bool) -> None:
    """Show what is enrolled."""
    rows = [
        {
            "label": each.label,
            "new": each.label not in model.card.labels,
            "repeats": len(each.repeats),
            "windows": sum(repeat.windows for repeat in each.repeats),
        }
        for each in profile.classes
    ]
    if json_lines:
        typer.echo(json.dumps({"profile": str(path), "model": profile.model, "classes": rows}))
        return
    table = Table(title=Text(f"{path}, for {profile.model}"), box=None, title_justify="left")
    for heading in ("label", "is", "repeats", "windows"):
        table.add_column(heading, justify="right" if heading in ("repeats", "windows") else "left")
    for row in rows:
        kind = "new" if row["new"] else "adapted"
        table.add_row(Text(str(row["label"])), kind, str(row["repeats"]), str(row["windows"]))
    console.print(table)
    if not rows:
        console.print("Nothing is enrolled.", style="yellow")

"""`img2imu finetune`: recordings of people's own become a model and a report.

The heavy imports are inside the command: the help of `img2imu` must not wait for torch, nor need it.
"""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text

from img2imu_training.console import Bars, show_notices

if TYPE_CHECKING:
    from img2imu_training.finetune import Finetuned, Task


class Sensors(StrEnum):
    """What to learn from."""

    ACC = "acc"
    BOTH = "acc+gyr"
    AUTO = "auto"


def finetune_command(
    recordings: Annotated[
        str, typer.Argument(metavar="RECORDINGS", help="Folder of CSVs, a CSV, an .npz corpus, or spar.")
    ],
    base: Annotated[
        str, typer.Option(help="Pre-trained backbone: tiny, small, or a file from img2imu pretrain.")
    ] = "tiny",
    output: Annotated[Path, typer.Option("--output", "-o", help="Model to write (.safetensors).")] = Path(
        "model.safetensors"
    ),
    report: Annotated[
        Path | None, typer.Option(help="Report to write (.html); by default beside the model.")
    ] = None,
    window: Annotated[float, typer.Option(min=0.5, max=60, help="Seconds of a window.")] = 5.0,
    hop: Annotated[float, typer.Option(min=0.02, max=60, help="Seconds between decisions.")] = 0.5,
    sensors: Annotated[
        Sensors, typer.Option(help="Accelerometer, with gyroscope, or what all recordings have.")
    ] = Sensors.AUTO,
    rate: Annotated[
        float | None, typer.Option(min=1, help="Sampling rate in Hz to bring all to; by default their own.")
    ] = None,
    keep_out: Annotated[
        list[str] | None,
        typer.Option("--keep-out", metavar="SUBJECT", help="Somebody to leave out of all; repeat it."),
    ] = None,
    tune: Annotated[
        int, typer.Option(min=0, metavar="STEPS", help="Gradient descent on the whole network; 0: frozen.")
    ] = 0,
    false_alarm: Annotated[
        float, typer.Option(min=0.001, max=0.5, help="Share of what it knows that may be called unknown.")
    ] = 0.05,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same model.")] = 0,
    name: Annotated[str, typer.Option(help="Of the model; the recordings' by default.")] = "",
    placement: Annotated[str, typer.Option(help="Where the sensor is worn, such as wrist.")] = "",
) -> None:
    r"""Train a model on your own recordings, judge it on people it never saw, and write a report.

    Needs: pip install 'img2imu-edge\[train]'

    A recording is a CSV: time, acc_x, acc_y, acc_z, label and, where there is a
    gyroscope, gyr_x, gyr_y, gyr_z, in s, m/s² and rad/s. Beside walk1.csv,
    walk1.json says who wore the sensor: {"subject": "ann"}.

    Your recordings, and what comes of them:

        img2imu finetune recordings/ -o gestures.safetensors

    Events of two seconds, and two people kept out to check the exported model on:

        img2imu finetune recordings/ --window 2.5 --keep-out ann --keep-out bob

    Without recordings of your own, ten people's shoulder exercises:

        img2imu finetune spar --base tiny --sensors acc
    """
    import torch

    from img2imu_edge.errors import TrainingError
    from img2imu_training.checkpoint import save
    from img2imu_training.finetune import FinetuneOptions, finetune, gather, plan
    from img2imu_training.outputs import make_room
    from img2imu_training.report.build import build_report
    from img2imu_training.report.render import write

    console, aside = Console(), Console(stderr=True)
    if output.suffix != ".safetensors":
        raise TrainingError(
            f"{output}: a trained model is a .safetensors file; img2imu export makes others of it"
        )
    report = report or output.with_suffix(".html")
    make_room(output, "-o")
    make_room(report, "--report")
    options = FinetuneOptions(
        base=base,
        window=window,
        hop=hop,
        sensors=sensors.value,
        rate=rate,
        keep_out=tuple(keep_out or ()),
        tune=tune,
        false_alarm=false_alarm,
        seed=seed,
        name=name,
        placement=placement,
    )
    torch.set_num_threads(1)  # sums in one order, so that the same seed gives the same bits
    try:
        corpus, notices = gather(recordings, options)
        show_notices(aside, notices)
        task = plan(recordings, corpus, notices, options)
        show_notices(aside, task.notices[len(notices) :])
        aside.print(_summary(task), style="bold", soft_wrap=True)
        with Bars(aside) as bars:
            found = finetune(task, bars)
    except KeyboardInterrupt:
        aside.print("stopped; nothing was written", style="yellow")
        raise typer.Exit(130) from None
    save(output, found.trained.net, found.trained.card)
    write(build_report(task, found, date.today().isoformat()), report)
    for what, text in _result(task, found, output, report):
        line = Text.assemble((f"{what:<12}", "bold"), text)
        console.print(line, soft_wrap=True)  # paths and commands stay whole, to be copied


def _summary(task: Task) -> str:
    corpus = task.corpus
    return (
        f"{len(corpus.subjects)} {task.group}, {len(corpus.classes)} classes, {len(task.windows):,} windows "
        f"of {task.window_s:.3g} s, {len(corpus.channels)} axes at {corpus.rate:g} Hz"
    )


def _result(task: Task, found: Finetuned, output: Path, report: Path) -> list[tuple[str, str]]:
    """What came of it: names and what there is to say."""
    import numpy as np

    from img2imu_training.report.measures import confusion, per_class

    trained = found.trained
    told = trained.card.metrics["leave_subjects_out"]
    said = np.concatenate([fold.logits.argmax(axis=1) for fold in trained.folds])
    truth = np.concatenate([fold.windows.labels for fold in trained.folds])
    f1 = per_class(confusion(truth, said, len(task.corpus.classes))).f1
    worst = int(f1.argmin())
    novelty = trained.card.decision.novelty
    lines = [
        (
            "macro-F1",
            f"{told['macro_f1']:.3f} ± {told['spread']:.3f} on {task.group} it never saw "
            f"({told['networks']} groups)",
        ),
        ("weakest", f"{task.corpus.classes[worst]}, F1 {f1[worst]:.3f}"),
    ]
    if novelty is not None:
        costs, asked = 100 * novelty.false_alarm, 100 * task.recipe.decision.false_alarm
        lines.append(
            (
                "unknown",
                f"beyond a distance of {novelty.threshold:.2f}; costs {costs:.1f}% of what it "
                f"knows ({asked:.3g}% asked)",
            )
        )
    lines += [
        ("confidence", f"{100 * told['expected_calibration_error']:.1f}% off on average"),
        ("written", f"{output} ({output.stat().st_size / 1000:,.0f} kB)"),
        ("", str(report)),
        ("next", f"img2imu export {output}"),
    ]
    return lines


app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode="rich", help=__doc__)
app.command("finetune")(finetune_command)

if __name__ == "__main__":
    app()

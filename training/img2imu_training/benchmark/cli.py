"""`img2imu benchmark`: methods side by side on the same people, windows and labels.

The heavy imports are inside the command: the help of `img2imu` must not wait for torch, nor need it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from img2imu_training.benchmark.results import Result

_LIST = "comma-separated"


def few_label_command(
    results: Annotated[
        Path, typer.Option("--results", "-r", help="JSON lines; what is in there is not done again.")
    ] = Path("few-label.jsonl"),
    data: Annotated[
        Path | None, typer.Option("--data", help="Folder of the .npz corpora; the task spar needs none.")
    ] = None,
    tasks: Annotated[str, typer.Option("--tasks", help=f"Tasks, {_LIST}, or all.")] = "all",
    methods: Annotated[
        str,
        typer.Option(
            "--methods",
            help=f"Methods, {_LIST}; ours=BASE or ours=BASE@LABEL for a backbone; or classical.",
        ),
    ] = "classical",
    budgets: Annotated[
        str, typer.Option("--budgets", help=f"Labelled windows of each class, {_LIST}; all for all.")
    ] = "1,2,5,10,20,all",
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="How many draws of people and windows.")] = 5,
    axes: Annotated[int, typer.Option("--axes", help="3, or 6 with the gyroscope.")] = 3,
    picture: Annotated[
        str, typer.Option("--picture", help="The picture that methods see: motion (ours) or paper.")
    ] = "motion",
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="Processes, of one thread each.")] = 1,
    report: Annotated[
        Path | None, typer.Option("--report", help="Folder for the tables and the curves of all results.")
    ] = None,
    cache: Annotated[Path, typer.Option("--cache", help="Folder for what methods learn once.")] = Path(
        "~/.cache/img2imu/benchmark"
    ),
) -> None:
    r"""Compare methods that learn from few labelled windows, on people they have not seen.

    Needs: pip install 'img2imu-edge\[train,benchmark]'

    Half of the people teach, the other half are tested. Results come as they are
    made; Ctrl-C loses nothing, and the same command goes on.

    Without any data:

        img2imu benchmark few-label --tasks spar --report few-label

    A backbone of yours against others:

        img2imu benchmark few-label --data recordings --methods ours=b.safetensors
    """
    from img2imu_training.benchmark.methods.registry import CLASSICAL
    from img2imu_training.benchmark.report import write_report
    from img2imu_training.benchmark.results import ResultsFile
    from img2imu_training.benchmark.run import Benchmark, plan, run
    from img2imu_training.benchmark.tasks import TASKS, find_tasks
    from img2imu_training.outputs import make_room

    chosen = [CLASSICAL if name == "classical" else (name,) for name in _parted(methods)]
    benchmark = Benchmark(
        tasks=find_tasks(tuple(TASKS) if tasks == "all" else _parted(tasks), axes, picture),
        methods=tuple(dict.fromkeys(name for names in chosen for name in names)),
        budgets=tuple(_budget(text) for text in _parted(budgets)),
        seeds=tuple(range(seeds)),
        data=data,
        cache=cache.expanduser(),
    )
    make_room(results, "--results")
    if report is not None:
        make_room(report / "few-label.md", "--report")
    file = ResultsFile(results)
    groups = plan(benchmark, set(file.done))
    failed = _follow(run(groups, file, jobs), sum(len(group.budgets) for group in groups))
    console = Console()
    if failed:
        console.print(
            f"{failed} results could not be had; the reasons are in {results}, and the next run tries again",
            style="yellow",
            soft_wrap=True,
        )
    if report is not None:
        for path in write_report(results, report, axes):
            console.print(str(path), soft_wrap=True)


def _follow(results: Iterator[Result], total: int) -> int:
    """Show a bar until all results are there; returns how many are errors."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    failed = 0
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("few labels", total=total)
        for result in results:
            where = f"{result.task}, seed {result.seed}, {result.method}"
            if result.error is not None:
                failed += 1
                console.print(f"{where}: {result.error}", style="yellow", soft_wrap=True, markup=False)
            elif not console.is_terminal:
                budget = "all" if result.budget is None else result.budget
                console.print(f"{where}, {budget}: {result.macro_f1:.3f}", soft_wrap=True, highlight=False)
            bar.update(task, advance=1, description=f"{result.task}, seed {result.seed}")
    return failed


def _parted(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _budget(text: str) -> int | None:
    if text == "all":
        return None
    if not text.isdecimal() or int(text) < 1:
        raise typer.BadParameter(
            f"{text!r} is no budget; write numbers from 1, or all", param_hint="--budgets"
        )
    return int(text)


app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Measure methods side by side, on people that none has seen.",
)
app.command("few-label")(few_label_command)


@app.callback()
def _group() -> None:
    """Keeps `few-label` a sub-command, though it is the only one."""


if __name__ == "__main__":
    app()

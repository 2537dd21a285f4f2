"""`img2imu classify --batch`: what is shown while an archive is classified, and after it."""

from __future__ import annotations

import json as jsonlib
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from img2imu_edge.batch import FileResult, Summary, classify_archive
from img2imu_edge.batch.output import find_files, pieces_folder, skipped_list
from img2imu_edge.model import Model

SKIPPED = 3
"""Exit status of a run whose results lack some recordings."""

_SHOWN = 20


def classify_batch(
    patterns: Sequence[str], model: Model, out: Path, workers: int | None, cluster: str | None, json: bool
) -> int:
    """Classify an archive and show how it goes.

    Args:
        patterns: Which recordings, such as `data/**/*.csv`.
        model: The model.
        out: Where the results go.
        workers: Processes; one a core if None.
        cluster: A Dask scheduler's address.
        json: Print a line of JSON for each recording and at the end, instead of a bar.

    Returns:
        Exit status: 0, or 3 if recordings were skipped.
    """
    files = find_files(patterns, out)
    console = Console(stderr=True)
    begin = time.monotonic()
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        console=console,
        disable=json or not console.is_terminal,
        transient=True,
    )
    with bar:
        task = bar.add_task("classifying", total=len(files), rate="")
        so_far = Summary()

        def tell(result: FileResult) -> None:
            so_far.add(result)
            hours = so_far.seconds / 3600 / max(time.monotonic() - begin, 1e-3)
            trouble = f", {len(so_far.skipped)} skipped" if so_far.skipped else ""
            bar.update(task, advance=1, rate=f"{hours:.2f} h/s{trouble}")
            if json:
                _print(
                    {"file": result.file, "error": result.error}
                    if result.error
                    else {"file": result.file, "windows": result.windows, "earlier": result.earlier}
                )

        try:
            summary = classify_archive(files, model, out, workers=workers, cluster=cluster, tell=tell)
        except KeyboardInterrupt:
            bar.stop()
            console.print(
                f"stopped after {so_far.files} of {len(files)}; run the same again to continue",
                style="yellow",
            )
            return 130
    seconds = time.monotonic() - begin
    if json:
        _print(
            {
                "event": "summary",
                "files": summary.files,
                "earlier": summary.earlier,
                "skipped": len(summary.skipped),
                "windows": summary.windows,
                "hours": summary.seconds / 3600,
                "took_s": seconds,
            }
        )
    else:
        _show(summary, out, seconds)
    return SKIPPED if summary.skipped else 0


def _show(summary: Summary, out: Path, seconds: float) -> None:
    console = Console()
    earlier = f" ({summary.earlier} by an earlier run)" if summary.earlier else ""
    console.print(f"[bold]{escape(str(out))}[/bold]: {summary.files} recordings{earlier}", soft_wrap=True)
    hours = summary.seconds / 3600
    if summary.files > summary.earlier:
        rate = f"{hours:.1f} h, {summary.windows:,} windows in {seconds:.1f} s: {hours / seconds:.2f} h/s"
        console.print(rate)
    for result in summary.skipped[:_SHOWN]:
        console.print(f"skipped: {escape(result.error or '')}", style="yellow", soft_wrap=True)
    if summary.skipped:
        more = f"{len(summary.skipped)} skipped, all listed in {escape(str(skipped_list(out)))}"
        console.print(f"{more}; repair them and run the same again, and only they are done", soft_wrap=True)
        console.print(
            f"(the others wait in {escape(str(pieces_folder(out)))}; delete it if you do not need it)",
            soft_wrap=True,
        )


def _print(data: dict[str, object]) -> None:
    sys.stdout.write(jsonlib.dumps(data) + "\n")
    sys.stdout.flush()

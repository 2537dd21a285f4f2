"""The command `img2imu fetch`: public recordings, downloaded and converted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from img2imu_training.datasets.catalogue import Catalogue


def fetch_command(
    name: Annotated[str | None, typer.Argument(help="Which set; without it, they are listed.")] = None,
    to: Annotated[Path, typer.Option("--to", help="Folder for the corpus; archives go below it.")] = Path(
        "data"
    ),
) -> None:
    """Download a public set of recordings and convert it for training; without a name, list the sets.

    Example: img2imu fetch motionsense --to data
    """
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    from img2imu_training.datasets.catalogue import read_catalogue
    from img2imu_training.datasets.fetch import fetch
    from img2imu_training.outputs import make_room

    catalogue = read_catalogue()
    console = Console()
    if name is None:
        console.print(_table(catalogue))
        console.print("Get one with: img2imu fetch NAME --to DIR", style="dim")
        return
    public = catalogue[name]
    make_room(to / f"{name}.npz", "--to")
    console.print(f"{name}: {public.title}; {public.placement}")
    console.print(f"licence: {public.licence}; cite: {public.cite}; {public.homepage}", soft_wrap=True)
    columns = (TextColumn("downloading"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("downloading", total=None)
        fetched = fetch(
            name, public, to, lambda done, total: bar.update(task, completed=done, total=total or None)
        )
    for note in fetched.notes:
        console.print(note, style="yellow", soft_wrap=True)
    corpus = fetched.corpus
    minutes = sum(len(session.values) for session in corpus.sessions) / corpus.rate / 60
    people, classes = len(corpus.subjects), len(corpus.classes)
    console.print(
        f"{fetched.path}: {people} people, {classes} classes, {minutes:.0f} minutes "
        f"at {corpus.rate:g} Hz, {len(corpus.channels)} axes",
        soft_wrap=True,
    )
    kept = ", ".join(map(str, fetched.archives))
    console.print(f"{kept} can be deleted; it saves another download", style="dim", soft_wrap=True)


def _table(catalogue: Catalogue) -> Table:
    """The catalogue, for people."""
    from rich.table import Table

    table = Table(box=None)
    table.add_column("name", no_wrap=True)
    table.add_column("what", min_width=32, overflow="fold")
    for heading in ("people", "Hz", "MB"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("licence")
    for name, public in catalogue.sets.items():
        size = sum(remote.mb for remote in public.files)
        what = f"{public.title}; {public.placement}; {public.classes} classes, {public.axes} axes"
        table.add_row(name, what, str(public.subjects), f"{public.rate:g}", str(size), public.licence)
    return table

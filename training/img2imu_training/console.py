"""What commands of this package show: progress, notices."""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Column
from rich.text import Text

if TYPE_CHECKING:
    from img2imu_training.checks import Notice

_STYLES = {"note": "cyan", "warning": "yellow"}


class Bars:
    """A `Watch` that shows a bar for each part; a part whose steps cannot be counted moves to and fro.

    Args:
        console: Where.
        transient: Whether the bars go when all is done.
    """

    def __init__(self, console: Console, transient: bool = False) -> None:
        self._bars = Progress(
            TextColumn("{task.description}", markup=False, table_column=Column(max_width=36, no_wrap=True)),
            BarColumn(24),
            TimeElapsedColumn(),
            TextColumn("{task.fields[said]}", table_column=Column(no_wrap=True)),
            console=console,
            transient=transient,
        )
        self._task: TaskID | None = None

    def __enter__(self) -> Bars:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._end()
        self._bars.stop()

    def begin(self, what: str, steps: int = 0) -> None:
        """A part begins; the one before it is done."""
        self._end()
        self._task = self._bars.add_task(what, total=steps or None, said="")

    def step(self, step: int, loss: float | None = None) -> None:
        """A step of the part is done."""
        if self._task is None:
            return
        total = self._bars.tasks[self._task].total
        said = f"{step}" if total is None else f"{step}/{total:.0f}"
        self._bars.update(
            self._task, completed=step, said=said if loss is None else f"{said} loss {loss:.3f}"
        )

    def _end(self) -> None:
        if self._task is None:
            return
        total = self._bars.tasks[self._task].total or 1
        self._bars.update(self._task, total=total, completed=total)
        self._bars.stop_task(self._task)


def show_notices(console: Console, notices: Iterable[Notice]) -> None:
    """Print notices, each with its level in its colour."""
    for notice in notices:
        text = Text.assemble((f"{notice.level}: ", f"bold {_STYLES[notice.level]}"), notice.text)
        console.print(text)

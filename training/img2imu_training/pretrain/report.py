"""What a run says while it runs: a bar on a terminal, plain lines elsewhere, and always a JSONL file."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)


class Reporter:
    """The bar, the lines and the file of one run; a context manager.

    Args:
        console: Where to show progress.
        log: JSONL file, if any. Its lines of steps after `start`, left by an interrupted run, are dropped.
        start: Steps that are done already.
        steps: Steps in all.
        batch: Pictures in a step.
    """

    def __init__(self, console: Console, log: Path | None, start: int, steps: int, batch: int) -> None:
        self.console, self.log, self.steps, self.batch = console, log, steps, batch
        if log:
            log.parent.mkdir(parents=True, exist_ok=True)
            kept = [line for line in _lines(log) if json.loads(line)["step"] <= start] if start else []
            log.write_text("".join(line + "\n" for line in kept), encoding="utf-8")
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=12),
            MofNCompleteColumn(),
            TimeRemainingColumn(compact=True),
            TextColumn(
                "{task.fields[rate]:,.0f} pictures/s  loss {task.fields[loss]:.3f}  {task.fields[probe]}"
            ),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task(
            "pre-training", total=steps, completed=start, rate=0.0, loss=float("nan"), probe=""
        )
        self._since, self._began = start, time.perf_counter()

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def advance(self, done: int) -> None:
        """Move the bar."""
        self._bar.update(self._task, completed=done)

    def restart_clock(self, done: int) -> None:
        """Begin to time anew after something that is no step, such as a probe."""
        self._since, self._began = done, time.perf_counter()

    def losses(self, done: int, loss: float, rate: float) -> None:
        """Say how it goes.

        Args:
            done: Steps that are done.
            loss: Mean loss since the last call.
            rate: Learning rate.
        """
        elapsed = max(time.perf_counter() - self._began, 1e-9)
        speed = (done - self._since) * self.batch / elapsed
        self.restart_clock(done)
        self._bar.update(self._task, rate=speed, loss=loss)
        self._write({"step": done, "loss": round(loss, 5), "rate": rate, "pictures_per_s": round(speed, 1)})
        left = (self.steps - done) * self.batch / max(speed, 1e-9)
        self._say(f"step {done}/{self.steps}  loss {loss:.3f}  {speed:,.0f} pictures/s  {_clock(left)} left")

    def probe(self, done: int, scores: dict[str, dict[str, float]]) -> None:
        """Say what the probes found: scores by name and corpus."""
        text = "  ".join(f"{name} {100 * found['linear']:.1f}" for name, found in scores.items())
        self._bar.update(self._task, probe=f"probe {text}")
        self._write({"step": done, "probe": scores})
        self._say(f"step {done}/{self.steps}  probe, linear macro-F1: {text}")

    def _say(self, line: str) -> None:
        if not self.console.is_terminal:
            self.console.print(line, soft_wrap=True, highlight=False)

    def _write(self, entry: dict[str, Any]) -> None:
        if self.log:
            with self.log.open("a", encoding="utf-8") as file:
                file.write(json.dumps(entry) + "\n")


def _lines(log: Path) -> list[str]:
    return log.read_text(encoding="utf-8").splitlines() if log.exists() else []


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}"

"""Recorder: from a source into a file, with a screen and a keyboard where there are any."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import math
import signal
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.live import Live

from img2imu_edge.cli.keyboard import has_keyboard, single_keys
from img2imu_edge.cli.record_view import Progress, record_view
from img2imu_edge.cli.traces import Traces
from img2imu_edge.errors import RecordingError
from img2imu_edge.labelling import Labelling
from img2imu_edge.options import without_secrets
from img2imu_edge.recording import UNLABELLED
from img2imu_edge.recording_writer import RecordingWriter, create_recording
from img2imu_edge.samples import SampleBlock
from img2imu_edge.sanity import SanityCheck
from img2imu_edge.source import Source

_FRAME_SECONDS: Final = 0.125
_SYNC_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True)
class Plan:
    """What shall be recorded.

    Attributes:
        url: The source's URL.
        labels: To choose from; a single one holds from the beginning.
        subject: Who wears it.
        placement: Where it is worn; may be empty.
        session: Name of the wearing; may be empty.
        folder: Where the files go.
        seconds: How long; 0 for no limit.
        countdown: Seconds before it begins.
    """

    url: str
    labels: tuple[str, ...]
    subject: str
    placement: str
    session: str
    folder: Path
    seconds: float
    countdown: float


class Recorder:
    """Records once.

    Args:
        plan: What.
        source: From where; not entered.
        console: Where to show it.

    Attributes:
        progress: What is known; None until the source is connected.
        writer: What writes it; None until it begins.
    """

    def __init__(self, plan: Plan, source: Source, console: Console) -> None:
        self.progress: Progress | None = None
        self.writer: RecordingWriter | None = None
        self._plan, self._source, self._console = plan, source, console
        self._stop = asyncio.Event()
        self._ended_by = "the source"
        self._begin = math.inf

    async def run(self) -> None:
        """Record until the source ends, the time is over, or somebody stops it.

        Raises:
            RecordingError: If the file cannot be written, or several labels lack a keyboard.
            SourceError: If the source fails for good.
        """
        if len(self._plan.labels) > 1 and not has_keyboard():
            raise RecordingError(
                "several labels are chosen by keys, and there is no keyboard here: give one --label, or run "
                "it in a terminal"
            )
        loop = asyncio.get_running_loop()
        with contextlib.suppress(NotImplementedError):  # on Windows
            for number in {signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)}:
                loop.add_signal_handler(number, self._end, number.name)
        hint = getattr(self._source, "hint", "")
        hint = hint or f"Connecting to {without_secrets(self._plan.url)} …"
        self._console.print(hint, style="dim", markup=False)
        async with self._source as source:
            begin = self._plan.labels[0] if len(self._plan.labels) == 1 else UNLABELLED
            self.progress = Progress(
                source.info.name,
                Traces(source.info.channels),
                Labelling(self._plan.labels, begin),
                source.info.rate,
                limit=self._plan.seconds,
            )
            with single_keys(self._on_key) as keys:
                self.progress.keys = keys
                await self._record(source, self.progress)

    async def _record(self, source: Source, progress: Progress) -> None:
        self._begin = time.monotonic() + self._plan.countdown
        parts = (self._take(source, progress), self._show(progress), self._keep_on_disk(), self._stop.wait())
        tasks = [asyncio.create_task(part) for part in parts]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        except asyncio.CancelledError:
            self._ended_by = "Ctrl+C"
            raise
        except Exception as error:
            self._ended_by = str(error)
            raise
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if self.writer:
                self.writer.close(self._outcome(progress))

    def _end(self, by: str) -> None:
        self._ended_by = by
        self._stop.set()

    def _on_key(self, key: str) -> None:
        if self.progress is None:
            return
        labelling = self.progress.labelling
        if key == "q":
            self._end("q")
        elif key == " ":
            labelling.choose(UNLABELLED, time.monotonic())
        elif key.isascii() and key.isdigit() and 1 <= int(key) <= len(labelling.labels):
            labelling.choose(labelling.labels[int(key) - 1], time.monotonic())

    async def _take(self, source: Source, progress: Progress) -> None:
        sanity = SanityCheck(source.info.channels, source.info.rate)
        end = math.inf
        async for block in source:
            progress.traces.push(block)
            sanity.push(block)
            progress.warnings = [*(finding.text for finding in sanity.findings), *source.stats.warnings]
            if time.monotonic() < self._begin or not len(block):
                continue
            if self.writer is None:
                self.writer = self._create()
                progress.path, progress.samples = self.writer.path, self.writer.samples
                end = float(block.times[0]) + (self._plan.seconds or math.inf)
            else:
                progress.lost += block.lost
            part, over = _until(block, end)
            self.writer.write(part, progress.labelling.of(part))
            progress.seconds = self.writer.seconds
            if over:
                self._end("the time is over")
                return

    async def _show(self, progress: Progress) -> None:
        if not self._console.is_terminal:
            await asyncio.Event().wait()
        with Live(console=self._console, auto_refresh=False, transient=True) as live:
            while True:
                progress.waiting = max(self._begin - time.monotonic(), 0.0)
                live.update(record_view(progress, self._console.size), refresh=True)
                await asyncio.sleep(_FRAME_SECONDS)

    async def _keep_on_disk(self) -> None:
        while True:
            await asyncio.sleep(_SYNC_SECONDS)
            if self.writer:
                await asyncio.to_thread(self.writer.sync)

    def _create(self) -> RecordingWriter:
        plan, info = self._plan, self._source.info
        about: dict[str, object] = {"subject": plan.subject}
        about |= {key: value for key in ("placement", "session") if (value := getattr(plan, key))}
        about |= {"device": info.name, "source": without_secrets(plan.url), "rate": info.rate}
        about["software"] = f"img2imu-edge {version('img2imu-edge')}"
        return create_recording(plan.folder, plan.subject, info.channels, about)

    def _outcome(self, progress: Progress) -> dict[str, object]:
        stats = dataclasses.asdict(self._source.stats)
        stats.pop("warnings")
        return {
            "lost": progress.lost,
            "measured_rate": round(progress.traces.rate, 3),
            "ended_by": self._ended_by,
            "warnings": list(progress.warnings),
            "link": stats,
        }


def _until(block: SampleBlock, end: float) -> tuple[SampleBlock, bool]:
    """What of a block is before `end`, and whether there is more."""
    keep = int((block.times < end).sum())
    if keep == len(block):
        return block, False
    return dataclasses.replace(block, times=block.times[:keep], values=block.values[:keep]), True

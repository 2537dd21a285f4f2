"""From the runner to the dashboard: what is new about each wearable."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

import numpy as np

from img2imu_edge.dashboard.feed import Feed, Layout
from img2imu_edge.dashboard.held import Held
from img2imu_edge.dashboard.picture import blank, drawn, unknown
from img2imu_edge.dashboard.why import Explainer, Question
from img2imu_edge.decision import Decision
from img2imu_edge.errors import SourceError
from img2imu_edge.model import Model
from img2imu_edge.runner import Wearable
from img2imu_edge.session import Session

_SHOWN_S = 20.0
_GAP_S = 1.0
_SILENT_S = 2.0
_EVERY_S = 0.5


@dataclass(slots=True)
class _Seen:
    """What is known of a wearable: how far its session has been shown, and its link's pace."""

    restarts: int = 0
    columns: int = 0
    samples: int = 0
    received: int = 0
    counted: float = 0.0
    rate: float = 0.0
    heard: float = 0.0
    latency_ms: float | None = None
    title: str = ""
    gaps: int = 0
    in_gap: bool = False


class Watcher:
    """Feeds the dashboard; a sink among others.

    Args:
        feed: The dashboard's.
        wearables: Those that are followed. Their sessions are read at `write`, when they are at rest.
        model: Their model.
    """

    def __init__(self, feed: Feed, wearables: Sequence[Wearable], model: Model) -> None:
        self._feed, self._model = feed, model
        self._wearables = {wearable.name: wearable for wearable in wearables}
        self._seen = {name: _Seen() for name in self._wearables}
        self._held = {name: Held(model) for name in self._wearables}
        self._explainer = Explainer(model)
        card, plan = model.card, model.plan
        spec = card.input
        layout = Layout(
            width=max(spec.columns, round(_SHOWN_S * spec.rate / plan.hop)),
            window=spec.columns,
            height=plan.rows * (len(spec.channels) // 3),
            channels=spec.channels,
            hop=plan.hop,
            rate=spec.rate,
            labels=card.labels,
            frequencies=(float(plan.frequencies[0]), float(plan.frequencies[-1])),
        )
        self._layout = layout
        for name, wearable in self._wearables.items():
            feed.add(name, wearable.source.url, layout)
        feed.answer = self.answer

    def write(self, source: str, decision: Decision) -> None:
        """Show a decision, and what came since the one before."""
        wearable = self._wearables[source]
        seen = self._seen[source]
        seen.latency_ms = decision.latency_ms
        if wearable.session is not None:
            self._show(source, wearable.session, seen)
        self._feed.decision(source, decision)

    async def answer(self, text: str) -> str | None:
        """Answer what a browser asks: why a decision was made.

        Args:
            text: What it sent.

        Returns:
            What it is told; None if that was no question.
        """
        question, held = Question.read(text), list(self._held.values())
        if question is None or not 0 <= question.index < len(held):
            return None
        return await self._explainer.answer(question, held[question.index].window(question.time))

    @contextlib.asynccontextmanager
    async def polling(self) -> AsyncGenerator[None]:
        """Tell how the links are, twice a second meanwhile."""
        task = asyncio.create_task(self._poll())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            self._explainer.close()

    async def _poll(self) -> None:
        while True:
            self.tell()
            await asyncio.sleep(_EVERY_S)

    def tell(self) -> None:
        """Tell how the links are now."""
        now = time.monotonic()
        for name, wearable in self._wearables.items():
            self._tell(name, wearable, self._seen[name], now)

    def _show(self, name: str, session: Session, seen: _Seen) -> None:
        layout, stream, held = self._layout, session.spectrogram, self._held[name]
        lead = self._model.plan.frame // layout.hop - 1  # a start's first column comes so much later
        if session.stats.restarts != seen.restarts:
            seen.gaps += seen.restarts > 0
            seen.restarts, seen.columns, seen.samples = session.stats.restarts, 0, 0
            gap = round(_GAP_S * layout.rate / layout.hop)
            self._feed.columns(name, blank(gap + lead, layout.height))
            self._feed.samples(name, unknown(gap * layout.hop, len(layout.channels)))
            held.begin(session.start)
        cells = stream.since(seen.columns)
        missed = min(stream.total - seen.columns - len(cells), layout.width)
        if missed > 0:  # more came at once than the session keeps
            self._feed.columns(name, blank(missed, layout.height))
        self._feed.columns(name, drawn(cells))
        samples = session.samples_since(seen.samples)
        missed = min(session.samples_total - seen.samples - len(samples), layout.width * layout.hop)
        if missed > 0:
            self._feed.samples(name, unknown(missed, len(layout.channels)))
            held.begin(session.start + (session.samples_total - len(samples)) / layout.rate)
        self._feed.samples(name, samples)
        held.add(samples)
        bridged = np.isnan(samples[:, 0])
        seen.gaps += int(np.sum(bridged & ~np.concatenate([[seen.in_gap], bridged[:-1]])))
        seen.in_gap = bool(bridged[-1]) if len(bridged) else seen.in_gap
        seen.columns, seen.samples = stream.total, session.samples_total

    def _tell(self, name: str, wearable: Wearable, seen: _Seen, now: float) -> None:
        stats = wearable.source.stats
        if not seen.title:
            with contextlib.suppress(SourceError):  # it is known while the source is connected
                seen.title = wearable.source.info.name
        received = stats.samples_received
        if received != seen.received:
            seen.heard = now
        elapsed = now - seen.counted
        pace = (received - seen.received) / elapsed if seen.counted else 0.0
        seen.rate += (pace - seen.rate) * min(1.0, elapsed / 2) if seen.rate else pace
        seen.received, seen.counted = received, now
        total = received + stats.samples_lost
        told = {
            "title": seen.title,
            "state": _state(wearable, now - seen.heard),
            "error": str(wearable.error) if wearable.error else "",
            "rate": round(seen.rate, 1),
            "lost": stats.samples_lost / total if total else 0.0,
            "gaps": seen.gaps,
            "reconnects": stats.reconnects,
            "battery": stats.battery,
            "latency_ms": seen.latency_ms,
        }
        self._feed.stats(name, told)


def _state(wearable: Wearable, silent_s: float) -> str:
    if wearable.error:
        return "failed"
    if wearable.ended:
        return "ended"
    if wearable.session is None:
        return "connecting"
    return "silent" if silent_s > _SILENT_S else "live"

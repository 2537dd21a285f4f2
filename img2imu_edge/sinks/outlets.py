"""All outputs of a run."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from img2imu_edge.decision import Decision
from img2imu_edge.errors import OutputError
from img2imu_edge.sinks import Sink
from img2imu_edge.sinks.jsonl import JsonLinesSink
from img2imu_edge.sinks.messages import Decided, Event, Message
from img2imu_edge.sinks.outlet import Outlet


class Outlets:
    """Sinks that get the same messages, each at its own pace: `with Outlets(sinks) as outlets`.

    Entering starts them, so that a port in use is known before any source is connected. Leaving waits
    for what is on its way.

    Args:
        sinks: Sinks that were not started.

    Raises:
        OutputError: If two of them are one and the same.

    Attributes:
        farewell: What people should know once all are closed, as pairs of an output's URL and a sentence.
    """

    def __init__(self, sinks: Sequence[Sink] = ()) -> None:
        # Lines on disk come last, so that they tell of what went wrong with the others in the end.
        ordered = sorted(sinks, key=lambda sink: isinstance(sink, JsonLinesSink))
        self._outlets = [Outlet(sink) for sink in ordered]
        self.farewell: list[tuple[str, str]] = []
        urls = [sink.url for sink in ordered]
        if twice := next((url for url in urls if urls.count(url) > 1), None):
            raise OutputError(f"{twice} is given twice; each output once, or one writes over the other")

    def __enter__(self) -> Self:
        for number, outlet in enumerate(self._outlets):
            try:
                outlet.start()
            except BaseException:
                for started in self._outlets[:number]:
                    started.close()
                raise
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.farewell += self.news()
        while self._outlets:
            outlet = self._outlets.pop(0)
            outlet.close()
            for text in outlet.news():
                self.farewell.append((outlet.sink.url, text))
                for other in self._outlets:
                    other.put(Event(outlet.sink.url, "warning", text))

    def send(self, message: Message) -> None:
        """Give a message to all; never waits.

        Raises:
            BrokenPipeError: If standard output is a pipe whose reader has left.
        """
        for outlet in self._outlets:
            outlet.put(message)

    async def decide(self, source: str, decision: Decision) -> None:
        """Give a decision to all. A source that goes as fast as it is taken waits for them, a live one never.

        Raises:
            BrokenPipeError: If standard output is a pipe whose reader has left.
        """
        if decision.latency_ms is None:  # its samples came at no time of their own
            for outlet in self._outlets:
                if outlet.must_be_waited_for:
                    await asyncio.to_thread(outlet.wait_for_room)
        self.send(Decided(source, decision))

    def news(self) -> list[tuple[str, str]]:
        """What people should know of the outputs and were not told yet: pairs of a URL and a sentence."""
        return [(outlet.sink.url, text) for outlet in self._outlets for text in outlet.news()]

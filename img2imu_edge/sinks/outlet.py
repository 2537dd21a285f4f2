"""Between the stream and one output: a thread and a bounded queue, so that it never delays a decision."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from typing import Final

from img2imu_edge.sinks import Sink
from img2imu_edge.sinks.messages import Counters, Message

QUEUE: Final = 4096
"""Messages that may wait for an output, half an hour of a wearable's; beyond it the oldest are dropped."""

STUCK_S: Final = 5.0
"""An output that took nothing for so long is not waited for: neither at the end, nor by a source that goes as
fast as it is taken."""

_TELL_S: Final = 10.0
"""Between two sentences about losses that come and go."""


class Outlet:
    """One sink, its thread and its queue.

    Args:
        sink: A sink that was not started.
        size: Messages that may wait.
        stuck_s: Seconds without any message taken after which it is not waited for.

    Attributes:
        sink: The sink.
        dropped: Messages that did not reach it.
    """

    def __init__(self, sink: Sink, size: int = QUEUE, stuck_s: float = STUCK_S) -> None:
        self.sink, self.dropped = sink, 0
        self._size, self._stuck_s = size, stuck_s
        self._queue: deque[Message] = deque()
        self._change = threading.Condition()
        self._closing = self._abandoned = self._busy = False
        self._broken: BrokenPipeError | None = None
        self._warnings: list[str] = []
        self._told = self._heard = self._heard_sink = 0
        self._moved = time.monotonic()
        self._told_at = -math.inf
        self._thread = threading.Thread(target=self._work, name=f"img2imu {sink.url}", daemon=True)

    def start(self) -> None:
        """Start the sink, then its thread.

        Raises:
            Img2ImuError: If the sink can never work.
        """
        self.sink.start()
        self._thread.start()

    def put(self, message: Message) -> None:
        """Leave a message; never waits. Where the queue is full the oldest one makes room.

        Raises:
            BrokenPipeError: If the sink is a pipe whose reader has left.
        """
        if self._broken:
            raise self._broken
        with self._change:
            if not self._queue and not self._busy:
                self._moved = time.monotonic()
            if isinstance(message, Counters):
                self._forget_counters_of(message.source)
            if len(self._queue) >= self._size:
                self._queue.popleft()
                self._drop(f"cannot keep up: {self._size} messages wait, and the oldest are dropped")
            self._queue.append(message)
            self._change.notify_all()

    @property
    def must_be_waited_for(self) -> bool:
        """Whether much waits, and it gets less."""
        return len(self._queue) > self._size // 2 and not self._is_stuck()

    def wait_for_room(self) -> None:
        """Wait until less waits, or nothing was taken for long."""
        with self._change:
            while self.must_be_waited_for:
                self._change.wait(0.1)

    def news(self) -> list[str]:
        """What people should know and were not told yet."""
        own, of_sink = self._warnings[self._heard :], self.sink.warnings[self._heard_sink :]
        self._heard += len(own)
        self._heard_sink += len(of_sink)
        return of_sink + own

    def close(self) -> None:
        """Wait while messages go out, then release the sink; what did not go out is counted and told."""
        with self._change:
            self._closing = True
            self._change.notify_all()
        while self._thread.is_alive() and not self._is_stuck():
            self._thread.join(0.02)
        self._abandoned = True
        lost = self._release()
        if self._thread.ident:
            self._thread.join(1.0)
        with self._change:
            self.dropped += lost + len(self._queue) + self._busy
            self._queue.clear()
            self._busy = False
        if not self._broken:  # its reader has left on purpose
            self._tell(-math.inf)

    def _release(self) -> int:
        """Close the sink; one that fails keeps no other from being closed."""
        try:
            return self.sink.close()
        except Exception as error:  # also of a sink that others wrote, or a file on a disk of the network
            self._warnings.append(
                f"it did not close as it should ({getattr(error, 'strerror', None) or error})"
            )
            return 0

    def _work(self) -> None:
        while (message := self._next()) is not None:
            try:
                self.sink.take(message)
            except Exception as error:  # also of a sink that others wrote: the stream goes on
                if self._abandoned:
                    return
                if isinstance(error, BrokenPipeError):
                    self._broken = error
                    return
                self._drop(f"a message was lost ({getattr(error, 'strerror', None) or error})")
            else:
                self._tell(self._told_at + _TELL_S)
            with self._change:
                self._busy, self._moved = False, time.monotonic()
                self._change.notify_all()

    def _next(self) -> Message | None:
        with self._change:
            self._change.wait_for(lambda: self._queue or self._closing)
            if self._abandoned or not self._queue:
                return None
            self._busy = True
            return self._queue.popleft()

    def _forget_counters_of(self, source: str) -> None:
        """Totals that wait are of no use once there are newer ones."""
        for waiting in self._queue:
            if isinstance(waiting, Counters) and waiting.source == source:
                self._queue.remove(waiting)
                return

    def _drop(self, why: str) -> None:
        """Count a loss, of either thread; the first of several is told at once, their number by `_tell`."""
        with self._change:
            if self.dropped == self._told:
                self._warnings.append(why)
                self._told_at = time.monotonic()
            self.dropped += 1

    def _tell(self, earliest: float) -> None:
        with self._change:
            lost = self.dropped - self._told
            if not lost or time.monotonic() < earliest:
                return
            self._told = self.dropped
            self._warnings.append(f"{lost} {'message was' if lost == 1 else 'messages were'} not delivered")

    def _is_stuck(self) -> bool:
        return time.monotonic() - self._moved > self._stuck_s

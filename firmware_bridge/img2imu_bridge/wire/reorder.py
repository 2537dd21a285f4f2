"""Putting messages in order: repeats go, late ones are waited for, what stays away is counted as lost."""

from __future__ import annotations

from bisect import insort
from typing import NamedTuple

from img2imu_edge.source import LinkStats


class Located(NamedTuple):
    """A DATA message whose numbers are unwrapped.

    Attributes:
        first: Number of its first sample.
        samples: How many samples it has.
        ticks: The device's clock at the first sample.
        payload: Its samples.
        received: Seconds on the host's clock when it arrived, or NaN.
    """

    first: int
    samples: int
    ticks: int
    payload: bytes | memoryview
    received: float


class Released(NamedTuple):
    """A message whose turn has come.

    Attributes:
        message: The message.
        skip: How many of its samples, from the first, came before and are to be left out.
        lost: How many samples are missing before the first one that is left.
    """

    message: Located
    skip: int
    lost: int


class Reorderer:
    """Releases messages in the order of their samples, each sample once.

    Attributes:
        expected: Number of the next sample to release; to be set before the first message.
    """

    def __init__(self, depth: int, stats: LinkStats) -> None:
        """Start empty.

        Args:
            depth: Most messages to hold while one is missing; 0 for a link that keeps the order.
            stats: Counters whose `duplicates` and `reordered` are kept current.
        """
        self.expected = 0
        self._depth = depth
        self._stats = stats
        self._held: list[Located] = []

    def push(self, message: Located) -> list[Released]:
        """Take the next message to arrive.

        Args:
            message: Any message with at least one sample.

        Returns:
            The messages whose turn has come.
        """
        held = self._held
        if message.first + message.samples <= self.expected:
            self._stats.duplicates += 1
            return []
        if message.first <= self.expected and not held:
            return [self._take(message)]
        if any(other[:2] == message[:2] for other in held):
            self._stats.duplicates += 1
            return []
        if held and message.first < held[-1].first:
            self._stats.reordered += 1
        insort(held, message, key=lambda each: each.first)
        return self._release(len(held) > self._depth)

    def flush(self) -> list[Released]:
        """Release everything, giving up on what is missing."""
        released = []
        while self._held:
            released += self._release(give_up=True)
        return released

    def _release(self, give_up: bool) -> list[Released]:
        """Release the held messages that have no gap before them; or, to give up one gap, those behind it."""
        released = []
        while self._held and (give_up or self._held[0].first <= self.expected):
            give_up = False
            message = self._held.pop(0)
            if message.first + message.samples > self.expected:
                released.append(self._take(message))
            else:
                self._stats.duplicates += 1
        return released

    def _take(self, message: Located) -> Released:
        ahead = message.first - self.expected
        self.expected = message.first + message.samples
        if ahead >= 0:
            return Released(message, 0, ahead)
        self._stats.duplicates += 1
        return Released(message, -ahead, 0)

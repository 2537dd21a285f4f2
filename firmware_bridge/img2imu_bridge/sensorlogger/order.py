"""The app's messages in order: each goes out by itself, and one may overtake another."""

from __future__ import annotations

import math
from collections import deque
from typing import Final

from img2imu_bridge.sensorlogger.messages import Message
from img2imu_edge.source import LinkStats

PATIENCE_S: Final = 2.0
"""Seconds that a message is waited for while later ones are there."""

_MOST: Final = 16
_FROM_START: Final = 8


class Order:
    """Puts the messages of one phone in order, one session after the other.

    Args:
        stats: Counters to keep current: `duplicates` and `reordered` count messages that came too late.
    """

    def __init__(self, stats: LinkStats) -> None:
        self._stats = stats
        self._session: str | None = None
        self._past: deque[str] = deque(maxlen=16)
        self._next = 0
        self._held: dict[int, tuple[Message, float]] = {}
        self._given: deque[int] = deque(maxlen=64)

    @property
    def deadline(self) -> float:
        """`time.monotonic()` when `due` has something to say; infinite if nothing is held."""
        return min((received for _, received in self._held.values()), default=math.inf) + PATIENCE_S

    def push(self, message: Message, received: float) -> list[Message]:
        """Take a message; return those that are next."""
        out: list[Message] = []
        if message.session != self._session:
            if message.session in self._past:
                self._stats.reordered += 1
                return []
            out = [self._held[number][0] for number in sorted(self._held)]
            self._held.clear()
            self._given.clear()
            if self._session is not None:
                self._past.append(self._session)
            self._session = message.session
            self._next = 0 if message.number < _FROM_START else message.number
        if message.number in self._held or message.number in self._given:
            self._stats.duplicates += 1
            return out
        if message.number < self._next:
            self._stats.reordered += 1
            return out
        self._held[message.number] = message, received
        if len(self._held) > _MOST:
            self._next = min(self._held)
        return out + self._release()

    def due(self, now: float) -> list[Message]:
        """What has waited long enough for what did not come."""
        if now < self.deadline:
            return []
        self._next = min(self._held)
        return self._release()

    def _release(self) -> list[Message]:
        out = []
        while self._next in self._held:
            out.append(self._held.pop(self._next)[0])
            self._given.append(self._next)
            self._next += 1
        return out

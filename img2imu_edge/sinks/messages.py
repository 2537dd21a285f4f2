"""What goes to an output: decisions, what happened to a source, and its counters."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Literal, Self

from img2imu_edge.decision import Decision
from img2imu_edge.session import SessionStats
from img2imu_edge.source import LinkStats


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision was made.

    Attributes:
        source: The name of the wearable that it is about.
        decision: The decision.
        at: When it was made, in seconds since 1970; `decision.time` is the device's own time.
    """

    source: str
    decision: Decision
    at: float = field(default_factory=time.time)

    @property
    def time_of_day(self) -> str:
        """`at` as ISO 8601, in UTC, with milliseconds."""
        return datetime.fromtimestamp(self.at, UTC).isoformat(timespec="milliseconds")

    def as_dict(self) -> dict[str, object]:
        """As plain data, for JSON."""
        return {"source": self.source, **self.decision.as_dict()}


@dataclass(frozen=True, slots=True)
class Event:
    """Something happened.

    Attributes:
        source: What it happened to: a wearable, or an output by its URL.
        kind: `warning`, or `failed` for a source that will not come back.
        message: A sentence for people.
    """

    source: str
    kind: Literal["warning", "failed"]
    message: str

    def as_dict(self) -> dict[str, object]:
        """As plain data, for JSON."""
        return {"source": self.source, "event": self.kind, "message": self.message}


@dataclass(frozen=True, slots=True)
class Counters:
    """A source's totals since its start, told about once a second and at the end.

    The counters and `battery` are those of `LinkStats`, and `skipped` is of `SessionStats`.
    """

    source: str
    samples_received: int
    samples_lost: int
    messages: int
    duplicates: int
    reordered: int
    corrupt: int
    bytes_received: int
    reconnects: int
    skipped: int
    battery: int | None

    @classmethod
    def of(cls, source: str, link: LinkStats, session: SessionStats | None) -> Self:
        """The counters as they stand."""
        return cls(
            source,
            samples_received=link.samples_received,
            samples_lost=link.samples_lost,
            messages=link.messages,
            duplicates=link.duplicates,
            reordered=link.reordered,
            corrupt=link.corrupt,
            bytes_received=link.bytes_received,
            reconnects=link.reconnects,
            skipped=session.skipped if session else 0,
            battery=link.battery,
        )

    def as_dict(self) -> dict[str, object]:
        """As plain data, for JSON."""
        return {"event": "counters", **asdict(self)}


Message = Decided | Event | Counters


def dated(message: Message) -> dict[str, object]:
    """As plain data, for readers elsewhere: of a decision they are told when it was made, as `at`."""
    data = message.as_dict()
    return {"at": message.time_of_day, **data} if isinstance(message, Decided) else data

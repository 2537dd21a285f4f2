"""Where decisions go. A sink is found by name through the entry points `img2imu.sinks`."""

from __future__ import annotations

from typing import Protocol

from img2imu_edge.decision import Decision


class Sink(Protocol):
    """Takes decisions, one by one."""

    def write(self, source: str, decision: Decision) -> None:
        """Take one decision of the source of that name. It must not block for long."""
        ...

    def close(self) -> None:
        """Release what the sink holds."""
        ...

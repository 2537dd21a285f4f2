"""The parts of `timeline`: one stream's packets put in order and in time, and several streams made one."""

from __future__ import annotations

from typing import Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from img2imu_bridge.profiles import Packet
from img2imu_edge.source import LinkStats

LATE_SECONDS: Final = 2.0
"""A packet from further back is no late one; if the next one follows it, the device began anew."""

BEHIND_SECONDS: Final = 60.0
"""How far packets may be behind where the host's clock says that the device is: the host was busy."""

AHEAD_SECONDS: Final = 5.0
"""How far they may be ahead of it, and off it either way after a reconnect; beyond, the device began anew."""

RESTARTED: Final = (
    "the device's clock or numbers began anew without notice: what it sampled before and did not send cannot "
    "be counted. If this happens often, look at the device's battery and its watchdog"
)


class Run(NamedTuple):
    """Samples of one stream without a gap between them.

    Attributes:
        times: (samples,) float64 seconds.
        values: (samples, channels) float32.
        lost: Samples missing right before the first one.
        broken: Whether time went on without samples before the first one, though none is missing.
        received: The host's time when they arrived.
    """

    times: NDArray[np.float64]
    values: NDArray[np.float32]
    lost: int
    broken: bool
    received: float


class StreamTimer(Protocol):
    """Puts the packets of one stream in order and in time."""

    @property
    def rate(self) -> float:
        """The true sampling rate in Hz, as known now."""
        ...

    def push(self, packet: Packet, received: float) -> list[Run]:
        """Take the next packet to arrive; return what can be said of it and of those held back."""
        ...

    def reset(self) -> list[Run]:
        """Note that another connection begins; return what was held back."""
        ...

    def flush(self) -> list[Run]:
        """Return what was held back."""
        ...


def unwrap(raw: int, bits: int, expected: float) -> int:
    """The number nearest to `expected` that shows as `raw` in so many bits."""
    turn = 1 << bits
    whole = int(expected)
    return whole + (raw - whole + turn // 2) % turn - turn // 2


def warn(stats: LinkStats, text: str) -> None:
    """Keep a warning for the user, once."""
    if text not in stats.warnings:
        stats.warnings.append(text)

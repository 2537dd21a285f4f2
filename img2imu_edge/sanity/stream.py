"""Sensors and axes that say always the same, and the rate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from img2imu_edge.sanity.finding import Finding
from img2imu_edge.sanity.second import Second, Sensors

STUCK_SECONDS: Final = 30
"""Seconds without any change after which a sensor, or one axis while the others move, is called stuck."""

RATE: Final = 0.02
"""How far the rate may be off nominal."""

_MOVING: Final = 0.3
_RATE_SECONDS: Final = 10


def judge_stuck(seconds: Sequence[Second], sensors: Sensors, channels: Sequence[str]) -> Iterator[Finding]:
    """A sensor without any noise, or an axis without any while the others move."""
    if len(seconds) < STUCK_SECONDS:
        return
    latest = seconds[-STUCK_SECONDS:]
    least = np.min([second.least for second in latest], axis=0)
    most = np.max([second.most for second in latest], axis=0)
    # In terms of 1 g, or of 1 rad/s, if gravity reads anything near what it should.
    level = max(float(np.median([second.level for second in latest])), 1e-9)
    for name, columns in (("accelerometer", sensors.acc), ("gyroscope", sensors.gyr)):
        if not columns:
            continue
        spans = (most - least)[columns]
        flat = np.flatnonzero(spans == 0)
        if len(flat) == len(spans):
            what = "the same" if most[columns].any() else "zero"
            yield Finding(
                "stuck",
                f"the {name} says {what} for {STUCK_SECONDS} s: it is switched off, or its bus hangs. Switch "
                "it on, or restart the device",
                name,
            )
        elif len(flat) and spans.max() > _MOVING * (level if name == "accelerometer" else 1.0):
            axes = ", ".join(channels[columns[at]] for at in flat)
            yield Finding(
                "stuck",
                f"{axes} never changes while the other axes do: a dead axis, or a column that the decoder "
                "takes from the wrong place",
                axes,
            )


def judge_rate(seconds: Sequence[Second], nominal: float) -> Iterator[Finding]:
    """A rate that is far from nominal."""
    if len(seconds) < _RATE_SECONDS:
        return
    rate = float(np.median([second.rate for second in seconds]))
    if abs(rate / nominal - 1) > RATE:
        yield Finding(
            "rate",
            f"the device samples at {rate:.4g} Hz, not at {nominal:g} Hz as it says. Decisions use the true "
            "times; set the true rate, so that gaps are counted right",
        )

"""Units of the accelerometer by gravity, and of the gyroscope by how gravity turns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from img2imu_edge.samples import STANDARD_GRAVITY
from img2imu_edge.sanity.finding import Finding
from img2imu_edge.sanity.second import Second, Sensors

AT_REST: Final = 0.15
"""How far from 1 g a sensor at rest may be: cheap ones are off by up to 0.08 g on each axis."""

NO_GRAVITY: Final = 2.0
"""If the mean acceleration of most seconds is below this many m/s², gravity may have been taken out."""

SURELY_NO_GRAVITY: Final = 0.6
"""If it is below this, it was: nothing else reads as little."""

GYROSCOPE_MOST: Final = 75.0
"""rad/s. Wearables' gyroscopes end at 2000 deg/s, which is 35; a few at 4000."""

GYROSCOPE_AT_REST: Final = 0.5
"""rad/s. Uncalibrated ones are off by 0.1."""

_STILL_SECONDS: Final = 5
_MOVING_SECONDS: Final = 30
_QUIET_SECONDS: Final = 10
_MOVING_LEVELS: Final = (STANDARD_GRAVITY / 3, STANDARD_GRAVITY * 5)
_UNSTEADY: Final = 0.35
_TURNS: Final = 20
_TURNED: Final = (0.1, 1.0)  # rad
_CALM: Final = 0.3
_SCALE: Final = 14.0  # times too much or too little; deg/s is 57 times
_COUNTS: Final = 100.0

_UNITS: Final = (
    (1.0, "g; multiply by 9.80665"),
    (1000.0, "milli-g; multiply by 0.00980665"),
    (STANDARD_GRAVITY * 1000, "mm/s²; divide by 1000"),
    (STANDARD_GRAVITY / 2, "half of m/s²; the range is probably twice what the decoder takes it for"),
    (STANDARD_GRAVITY * 2, "twice m/s²; the range is probably half of what the decoder takes it for"),
)
_TO_RADIANS: Final = "multiply by 0.0174533"


def judge_accelerometer(seconds: Sequence[Second]) -> Iterator[Finding]:
    """Whether it reads 1 g at rest; if it never rests, whether it reads about that on average."""
    levels = np.array([second.level for second in seconds])
    unrest = np.array([second.unrest for second in seconds])
    still = np.array([second.still for second in seconds])
    usual = float(np.median(levels))
    rests = int(still.sum()) >= _STILL_SECONDS
    quiet = max(usual, float(np.median(unrest))) < NO_GRAVITY and len(levels) >= _QUIET_SECONDS
    if usual == 0 or not (rests or quiet or len(levels) >= _MOVING_SECONDS):
        return
    unsteady = float(np.median(levels / np.maximum(levels + unrest, 1e-12))) < _UNSTEADY
    if usual < SURELY_NO_GRAVITY or (usual < NO_GRAVITY and unsteady):
        yield Finding(
            "gravity",
            f"the accelerometer reads {usual:.2f} on average and never 9.81: gravity was taken out of it "
            "(linear acceleration). Have the device send the acceleration with gravity",
        )
    elif rests:
        rest = float(np.median(levels[still]))
        if abs(rest / STANDARD_GRAVITY - 1) > AT_REST:
            yield Finding(
                "units", f"at rest the accelerometer reads {rest:.4g} instead of 9.81: {_guess(rest)}"
            )
    elif not _MOVING_LEVELS[0] < usual < _MOVING_LEVELS[1]:
        doubt = ". Or gravity was taken out: at rest it would read 0 then" if usual < NO_GRAVITY else ""
        yield Finding(
            "units",
            f"the accelerometer reads {usual:.4g} on average, not about 9.81: {_guess(usual)}{doubt}",
        )


def judge_gyroscope(seconds: Sequence[Second], sensors: Sensors) -> Iterator[Finding]:
    """Whether it turns as gravity does, and reads about 0 at rest."""
    ends = np.array([[second.least[sensors.gyr], second.most[sensors.gyr]] for second in seconds])
    most = float(np.nan_to_num(np.abs(ends)).max())
    turns = [
        second.spun / second.turned
        for second in seconds
        if _TURNED[0] < second.turned < _TURNED[1] and second.unrest < _CALM * second.level
    ]
    times = float(np.median(turns)) if len(turns) >= _TURNS else 1.0
    spins = [second.spin for second in seconds if second.still]
    bias = float(np.median(spins)) if len(spins) >= _STILL_SECONDS else 0.0
    if most == 0:
        return  # said as stuck
    if most > GYROSCOPE_MOST:
        problem = f"reads up to {most:.0f} rad/s, more than it can: probably deg/s ({_TO_RADIANS}), or counts"
    elif times > _SCALE:
        problem = f"reads {times:.0f} times what gravity's turning says: probably deg/s; {_TO_RADIANS}"
    elif times < 1 / _SCALE:
        problem = f"reads {times:.2g} times what gravity's turning says: its scale is wrong, or it is off"
    elif bias > GYROSCOPE_AT_REST:
        problem = f"reads {bias:.2f} rad/s at rest: probably deg/s ({_TO_RADIANS}), or it was not calibrated"
    else:
        return
    yield Finding("gyroscope", f"the gyroscope {problem}")


def _guess(reading: float) -> str:
    """What unit reads so at rest."""
    for one_g, unit in _UNITS:
        if abs(reading / one_g - 1) <= AT_REST:
            return f"it looks like {unit}"
    if reading > _COUNTS:
        return f"it looks like counts, about {reading:.0f} to the g; divide by that, multiply by 9.80665"
    return f"the scale is wrong; multiply by {STANDARD_GRAVITY / reading:.4g}, or calibrate the sensor"

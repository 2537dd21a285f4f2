"""Whether a stream's numbers can be what they claim: m/s² with gravity, and rad/s.

A sensor at rest reads 1 g, so its unit shows as soon as it is still; while it moves, gravity is still most of
what it reads. How fast gravity turns in the sensor's own axes tells what the gyroscope should read.

Axes that are swapped or mirrored for both sensors alike cannot be seen: every orientation reads 1 g. Lay the
device flat and look which axis says +9.81.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from img2imu_edge.samples import ACCELEROMETER, GYROSCOPE, SampleBlock
from img2imu_edge.sanity.clipping import Clipping
from img2imu_edge.sanity.finding import Finding
from img2imu_edge.sanity.motion import judge_accelerometer, judge_gyroscope
from img2imu_edge.sanity.second import STILL, Second, Sensors
from img2imu_edge.sanity.stream import judge_rate, judge_stuck

__all__ = ["STILL", "Finding", "SanityCheck", "check_samples"]

_SECONDS: Final = 120
_EVERY_SECONDS: Final = 5
_LEAST_SAMPLES: Final = 4


class SanityCheck:
    """Watches a stream and says what cannot be right, each thing once.

    What is found does not depend on how the samples are cut into blocks. It takes some seconds at rest, or
    half a minute of motion, until something is said; two minutes are looked back on.

    Attributes:
        findings: All findings so far.
    """

    def __init__(self, channels: Sequence[str], rate: float) -> None:
        """Begin.

        Args:
            channels: The stream's channels. Only the accelerometer and the gyroscope are looked at, and only
                if all three axes are there.
            rate: Nominal sampling rate in Hz.
        """
        self.findings: list[Finding] = []
        self._channels = tuple(channels)
        self._rate = rate
        self._sensors = Sensors(_columns(channels, ACCELEROMETER), _columns(channels, GYROSCOPE))
        self._samples = max(round(rate), _LEAST_SAMPLES)
        self._times: list[NDArray[np.float64]] = []
        self._values: list[NDArray[np.float32]] = []
        self._held = 0
        self._seconds: deque[Second] = deque(maxlen=_SECONDS)
        self._seen = 0
        self._clipping = Clipping(self._channels, self._sensors)

    def push(self, block: SampleBlock) -> list[Finding]:
        """Look at more samples; those without acceleration are passed over, as is a gyroscope without values.

        Returns:
            What was found for the first time.
        """
        times, values = block.times, block.values
        paced = self._sensors.acc or self._sensors.gyr
        whole = np.isfinite(values[:, paced]).all(axis=1)
        if not whole.all():
            times, values = times[whole], values[whole]
        before = len(self.findings)
        while len(times):
            part = self._samples - self._held
            self._times.append(times[:part].copy())  # whoever pushes may use the memory again
            self._values.append(values[:part].copy())
            self._held += len(times[:part])
            times, values = times[part:], values[part:]
            if self._held == self._samples:
                self._take(np.concatenate(self._times), np.concatenate(self._values))
                self._times, self._values, self._held = [], [], 0
        return self.findings[before:]

    def _take(self, times: NDArray[np.float64], values: NDArray[np.float32]) -> None:
        # In these words, for a NaN is not known to be later. Sessions count samples that are not.
        if not ((times[1:] > times[:-1]).all() and times[-1] < np.inf):
            known = np.isfinite(times)
            times, values = times[known], values[known]
            ahead = np.maximum.accumulate(np.concatenate([[-np.inf], times]))[:-1] < times
            times, values = times[ahead], values[ahead]
            if len(times) < _LEAST_SAMPLES:
                return
        turning = np.isfinite(values[:, self._sensors.gyr]).all()
        self._seconds.append(
            Second.of(times, values, self._sensors if turning else Sensors(self._sensors.acc, []))
        )
        self._clipping.push(values)
        self._seen += 1
        if self._seen % _EVERY_SECONDS == 0:
            self._judge()

    def _judge(self) -> None:
        for finding in self._doubts():
            # Each axis may be stuck or clip by itself; otherwise one finding a check is enough.
            if (finding.check, finding.axis) not in {(known.check, known.axis) for known in self.findings}:
                self.findings.append(finding)

    def finish(self) -> list[Finding]:
        """What the last seconds show, at the end of a stream.

        Returns:
            As `push`.
        """
        before = len(self.findings)
        if self._seen > _EVERY_SECONDS:
            self._judge()
        return self.findings[before:]

    def _doubts(self) -> Iterator[Finding]:
        seconds = list(self._seconds)
        yield from judge_stuck(seconds, self._sensors, self._channels)
        if self._sensors.acc:
            yield from judge_accelerometer(seconds)
            if self._sensors.gyr:
                yield from judge_gyroscope(seconds, self._sensors)
        yield from self._clipping.judge()
        yield from judge_rate(seconds, self._rate)


def check_samples(
    times: NDArray[np.float64], values: NDArray[np.float32], channels: Sequence[str], rate: float
) -> list[Finding]:
    """What cannot be right about a whole recording.

    Args:
        times: (samples,) seconds.
        values: (samples, channels), claimed to be SI units.
        channels: Their names.
        rate: Nominal sampling rate in Hz.
    """
    check = SanityCheck(channels, rate)
    check.push(SampleBlock(times, values, tuple(channels)))
    check.finish()
    return check.findings


def _columns(channels: Sequence[str], sensor: Sequence[str]) -> list[int]:
    return [list(channels).index(name) for name in sensor] if set(sensor) <= set(channels) else []

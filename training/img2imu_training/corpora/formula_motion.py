"""Formula-made motion as a corpus: pictures of two performances of each random movement.

No recording, no person and no photograph is needed: what a worn sensor can feel follows from mechanics. The
movements are drawn in `movement`, performed in `performance` and `kinematics`, and reported in `sensor`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from img2imu_edge.spec import SpectrogramSpec
from img2imu_training.corpora import generator
from img2imu_training.corpora.kinematics import readings
from img2imu_training.corpora.movement import (
    CYCLIC,
    IMPACT,
    KINDS,
    SEQUENCE,
    TRANSIENT,
    Floats,
    Movements,
    draw_movements,
    single,
)
from img2imu_training.corpora.performance import Performances, Spread, draw_performances
from img2imu_training.corpora.pictures import PicturePlan
from img2imu_training.corpora.sensor import record


@dataclass(frozen=True, slots=True)
class MotionOptions:
    """What formula-made motion is like.

    Attributes:
        batch: Movements in a batch; each gives two pictures.
        rate: Sampling rate, Hz.
        columns: Columns of a picture; with the spectrogram they say how long a window is.
        axes: 3 for an accelerometer, 6 for a gyroscope too.
        preset: Name of the spectrogram.
        kinds: How often each of `KINDS` comes, as shares of any sum.
        spread: How much two performances of a movement differ.
    """

    batch: int = 256
    rate: float = 50.0
    columns: int = 32
    axes: int = 3
    preset: str = "motion"
    kinds: dict[str, float] = field(
        default_factory=lambda: {
            "still": 0.1,
            "steady": 0.25,
            "impact": 0.15,
            "burst": 0.1,
            "transient": 0.1,
            "irregular": 0.1,
            "mixture": 0.1,
            "sequence": 0.1,
        }
    )
    spread: Spread = field(default_factory=Spread)

    def __post_init__(self) -> None:
        unknown = sorted(set(self.kinds) - set(KINDS))
        if unknown:
            raise ValueError(f"no kind of movement is called {unknown[0]!r}; there are: {', '.join(KINDS)}")
        if min(self.kinds.values(), default=0) < 0 or not sum(self.kinds.values()) > 0:
            raise ValueError("the shares of the kinds of movement must not be negative, nor all 0")
        if self.axes not in (3, 6):
            raise ValueError(f"axes must be 3 or 6, not {self.axes}")


@dataclass(frozen=True, slots=True)
class Factors:
    """What made each pair of windows: targets for supervised pre-training. NaN where there is none.

    Attributes:
        kind: (n,) index in `KINDS`.
        frequency: (n, 2) log2 of the fundamental in Hz of each performance; NaN unless the kind has one.
        amplitude: (n, 2, axes) ln of the standard deviation of what the sensor feels, m/s² or rad/s, before
            noise; not below ln 0.001.
        posture: (n, 2, 3) mean specific force as a unit vector in the sensor's frame: where up is.
        impact: (n, 2) ln of the peak acceleration of the impacts, m/s²; NaN without impacts.
        change: (n, 2) middle of the change of posture or of movement, as a share of the window; NaN if none.
    """

    kind: NDArray[np.int64]
    frequency: Floats
    amplitude: Floats
    posture: Floats
    impact: Floats
    change: Floats


class FormulaMotion:
    """Formula-made motion.

    Args:
        options: What it is like.
        seed: Of all randomness.
        rank: Number of this worker among those that train together; each has batches of its own.
        spec: The spectrogram, in the place of the preset that the options name.
    """

    def __init__(
        self,
        options: MotionOptions = MotionOptions(),
        seed: int = 0,
        rank: int = 0,
        spec: SpectrogramSpec | None = None,
    ) -> None:
        self.options, self.seed, self.rank = options, seed, rank
        self.plan = PicturePlan(spec or SpectrogramSpec.preset(options.preset), options.rate, options.axes)
        self.samples = self.plan.frame + (options.columns - 1) * self.plan.hop
        shares = np.array([options.kinds.get(name, 0.0) for name in KINDS])
        self._weights = shares / shares.sum()

    def batch(self, step: int) -> Tensor:
        """Pictures (n, 2, 3, sensors × rows, columns) uint8 of the windows of a step."""
        samples, _ = self._record(step)
        made = self.plan.pictures(samples)
        return torch.from_numpy(made.reshape(-1, 2, *made.shape[1:]))

    def windows(self, step: int) -> tuple[NDArray[np.float32], Factors]:
        """Windows (n, 2, samples, axes) in m/s² and rad/s of a step, and what made them."""
        samples, factors = self._record(step)
        pairs = samples.reshape(-1, 2, *samples.shape[1:])
        return np.ascontiguousarray(pairs.transpose(0, 1, 3, 2)), factors

    def pairs(self, step: int) -> tuple[Tensor, Factors]:
        """The pictures of `batch`, and what made them."""
        samples, factors = self._record(step)
        made = self.plan.pictures(samples)
        return torch.from_numpy(made.reshape(-1, 2, *made.shape[1:])), factors

    def _record(self, step: int) -> tuple[Floats, Factors]:
        """Reported samples (2 n, axes, samples) and factors."""
        o, rng = self.options, generator(self.seed, self.rank, step)
        movements = draw_movements(rng, o.batch, o.rate, self._weights)
        how = draw_performances(rng, movements, self.samples / o.rate, o.spread)
        both = movements.take(np.repeat(np.arange(o.batch), 2))
        felt = readings(both, how, self.samples, o.rate, o.axes, rng)
        return record(felt, rng), _factors(both, how, felt, self.samples / o.rate)


def _factors(movements: Movements, how: Performances, felt: Floats, seconds: float) -> Factors:
    """Factors of n movements from their 2 n performances."""
    kind, part = movements.kind, movements.first
    nothing = np.float32(np.nan)
    steady = felt[:, :3].mean(axis=2)
    strike = np.linalg.norm(part.impact, axis=1) * how.vigour * np.square(how.tempo)
    changing = np.isin(kind, (TRANSIENT, SEQUENCE))
    return Factors(
        kind=kind[::2],
        frequency=single(
            np.where(np.isin(kind, CYCLIC), np.log2(part.frequency * how.tempo), nothing)
        ).reshape(-1, 2),
        amplitude=single(np.log(np.maximum(felt.std(axis=2), 1e-3))).reshape(-1, 2, felt.shape[1]),
        posture=single(steady / np.linalg.norm(steady, axis=1, keepdims=True)).reshape(-1, 2, 3),
        impact=single(np.where(kind == IMPACT, np.log(np.maximum(strike, 1e-3)), nothing)).reshape(-1, 2),
        change=single(np.where(changing, how.moment / seconds, nothing)).reshape(-1, 2),
    )

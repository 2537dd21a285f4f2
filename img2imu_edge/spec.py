"""SpectrogramSpec: everything that turns samples into a picture, as data.

Training, export and runtime all read this one definition; it travels inside the model card.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal


@dataclass(frozen=True, slots=True)
class SensorRange:
    """What the darkest and the brightest cell of a picture with fixed contrast stand for.

    Attributes:
        low_db: Power density shown as 0, in dB relative to 1 unit²/Hz; the unit is m/s² or rad/s.
        high_db: Power density shown as 1.
        level: Level rows map −level … +level (same unit) to 0 … 1.
    """

    low_db: float
    high_db: float
    level: float

    def __post_init__(self) -> None:
        if not (self.low_db < self.high_db and self.level > 0):
            raise ValueError("a range needs low_db < high_db and a positive level")


@dataclass(frozen=True, slots=True)
class SpectrogramSpec:
    """How a window of samples becomes a picture of one row per frequency and one column per frame.

    Durations are in seconds, so that 20 Hz and 100 Hz sensors give comparable pictures.

    Attributes:
        frame_s: Length of the Hann-windowed frame behind one column.
        hop_s: Distance between the starts of neighbouring frames.
        frequencies: `linear` takes every bin of the frame's Fourier transform; `log` takes `bins` frequencies
            spaced evenly in logarithm from `f_min` to `f_max` Hz, both included.
        bins: Number of frequencies, for `log`.
        f_min: Lowest frequency in Hz, for `log`.
        f_max: Highest frequency in Hz, for `log`.
        cycles: A frequency looks at so many of its own cycles around the frame's middle and no more, so that
            fast events stay sharp in time where slow ones cannot (a constant-Q transform; Brown, "Calculation
            of a constant Q spectral transform", J. Acoust. Soc. Am. 89, 1991). 0: at the whole frame.
        detrend: Take the Hann-weighted mean off each frame first, so that gravity does not leak into the
            lowest rows.
        level_rows: Rows below the lowest frequency that show the sign which a power spectrum loses: the
            Hann-weighted mean, which is gravity's direction for an accelerometer and the net turn for a
            gyroscope. Each value is repeated in neighbouring rows, so that a convolution can see it.
        levels_s: Durations around the frame's middle that the level rows average over, lowest rows first: a
            long one shows posture, a short one the course of slow motion itself, with the phase between axes
            that powers lose. They share the level rows evenly; empty: the whole frame.
        contrast: `window` stretches each axis of each window to 0 … 1 (the reference's way: a still wrist
            becomes full-contrast noise); `fixed` maps `ranges`, so that a column never changes once made.
        ranges: Range of each sensor (`acc`, `gyr`), for `fixed` contrast.
        floor: Power density in unit²/Hz added before the logarithm, so that silence has one.
    """

    frame_s: float
    hop_s: float
    frequencies: Literal["linear", "log"] = "linear"
    bins: int = 0
    f_min: float = 0.0
    f_max: float = 0.0
    detrend: bool = False
    cycles: float = 0.0
    level_rows: int = 0
    levels_s: tuple[float, ...] = ()
    contrast: Literal["window", "fixed"] = "window"
    ranges: dict[str, SensorRange] = field(default_factory=dict)
    floor: float = 1e-12

    def __post_init__(self) -> None:
        if not (self.frame_s > 0 and self.hop_s > 0 and self.floor > 0):
            raise ValueError("frame_s, hop_s and floor must be positive")
        if self.frequencies == "log" and not (self.bins >= 2 and 0 < self.f_min < self.f_max):
            raise ValueError("log frequencies need bins >= 2 and 0 < f_min < f_max")
        if self.contrast == "fixed" and not self.ranges:
            raise ValueError("fixed contrast needs the ranges of its sensors")
        if self.cycles and not (self.frequencies == "log" and self.cycles >= 1):
            raise ValueError("cycles must be at least 1, and need log frequencies")
        if self.levels_s and (min(self.levels_s) <= 0 or self.level_rows % len(self.levels_s)):
            raise ValueError("levels_s must be positive and share level_rows evenly")
        if self.level_rows < 0:
            raise ValueError("level_rows must not be negative")
        if self.level_rows and self.contrast == "window":
            raise ValueError("level rows need fixed contrast: stretched per window they would lose the sign")

    def scaled(self, factor: float) -> SpectrogramSpec:
        """The same picture of a window so many times as long; frequencies stay."""
        return replace(
            self,
            frame_s=self.frame_s * factor,
            hop_s=self.hop_s * factor,
            levels_s=tuple(seconds * factor for seconds in self.levels_s),
        )

    @classmethod
    def preset(cls, name: str) -> SpectrogramSpec:
        """One of the named specs.

        * `paper`: the reference front-end of IMG2IMU (arXiv 2209.00945, the authors' Android demo): Hann
          frames of 128 samples every 12 at 64 Hz, log10 power density, each axis stretched to 0 … 1 per
          window. The demo's drawing loop loses the lowest frequency; this follows the formula, not the slip.
        * `motion`: log-spaced frequencies where wrists move, each over four of its cycles, fixed contrast,
          and level rows from posture to the course of slow motion. The winner of the few-label
          benchmark.

        Both take three axes (accelerometer) or six (accelerometer, then gyroscope).

        Raises:
            ValueError: If no preset has that name.
        """
        if name not in _PRESETS:
            raise ValueError(f"no preset is called {name!r}; there are: {', '.join(sorted(_PRESETS))}")
        return _PRESETS[name]


_PRESETS = {
    "paper": SpectrogramSpec(frame_s=2.0, hop_s=0.1875),
    "motion": SpectrogramSpec(
        frame_s=1.6,
        hop_s=0.1,
        frequencies="log",
        bins=24,
        f_min=0.3,
        f_max=15.0,
        detrend=True,
        cycles=4.0,
        level_rows=8,
        levels_s=(1.6, 0.8, 0.4, 0.2),
        contrast="fixed",
        ranges={
            "acc": SensorRange(low_db=-25.0, high_db=25.0, level=12.0),
            "gyr": SensorRange(low_db=-35.0, high_db=15.0, level=3.0),
        },
    ),
}

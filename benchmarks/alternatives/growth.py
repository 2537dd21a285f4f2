"""How the front-end's cost grows with the window and the sampling rate: streaming, and from the start."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.alternatives.cost import Spread
from benchmarks.alternatives.ways import Array
from benchmarks.motion import make_motion
from img2imu_edge.benchmark import plain_way
from img2imu_edge.spec import SpectrogramSpec
from img2imu_edge.spectrogram import SpectrogramPlan, StreamingSpectrogram, stack

WINDOWS = (2.5, 5.0, 10.0, 20.0, 40.0)
"""Seconds, at 50 Hz."""

RATES = (25.0, 50.0, 100.0, 200.0, 400.0)
"""Hz, with a window of 5 s."""

_HOP_S = 0.5
_TURN = 8


@dataclass(frozen=True, slots=True)
class Growth:
    """The front-end at one window and rate, in microseconds of CPU per decision.

    Attributes:
        window_s: Seconds of the window.
        rate: Hz.
        streaming: Ours: new columns, and the window's picture.
        anew: Our picture from all samples of the window.
        plain: SciPy and Pillow, from all samples.
    """

    window_s: float
    rate: float
    streaming: Spread
    anew: Spread
    plain: Spread


def measure_growth(window_s: float, rate: float, turns: int = 10) -> Growth:
    """The three front-ends in turns, a decision each half second.

    Args:
        window_s: Seconds of the window.
        rate: Hz.
        turns: Of several decisions each.
    """
    spec = SpectrogramSpec.preset("motion")
    spec = replace(spec, f_max=min(spec.f_max, rate / 2))
    plan = SpectrogramPlan(spec, rate, 6)
    samples, hop = round(window_s * rate), round(_HOP_S * rate)
    columns = (samples - plan.frame) // plan.hop + 1
    stream = StreamingSpectrogram(plan, columns)
    plain_front_end, _ = plain_way((3, 2 * plan.rows, columns), rate)

    def streaming(window: Array) -> Array:
        stream.push(window[-hop:])
        return np.ascontiguousarray(stack(stream.picture()))

    def anew(window: Array) -> Array:
        return np.ascontiguousarray(stack(plan.stretch(plan.columns(window).transpose(1, 2, 0))))

    ways: dict[str, Callable[[Array], Array]] = {
        "streaming": streaming, "anew": anew, "plain": plain_front_end
    }  # fmt: skip
    windows = _windows(rate, samples, hop)
    stream.push(next(windows))
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(turns):
        turn = [next(windows) for _ in range(_TURN)]
        for name, way in ways.items():
            begin = time.process_time()
            for window in turn:
                way(window)
            times[name].append((time.process_time() - begin) / _TURN)
    return Growth(window_s, rate, **{name: Spread.of(of, 1e6) for name, of in times.items()})


def _windows(rate: float, samples: int, hop: int) -> Iterator[Array]:
    values = make_motion(rate, 60.0 + samples / rate).values
    for end in range(samples, len(values), hop):
        yield values[end - samples : end]

"""Where the time of our own decision goes: each stage by itself, and the whole session beside it."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.alternatives.cost import Spread
from benchmarks.alternatives.files import FILES
from benchmarks.alternatives.ways import DRIFT
from img2imu_edge.benchmark import timed
from img2imu_edge.decision import DecisionMaker
from img2imu_edge.model import Model, load_model
from img2imu_edge.recording import demo_recording, read_recording
from img2imu_edge.resample import Resampler
from img2imu_edge.samples import SampleBlock
from img2imu_edge.session import Session
from img2imu_edge.spectrogram import StreamingSpectrogram, stack

STAGES = ("resample", "columns", "picture", "network", "decision", "session")
"""Samples to the grid; new columns; the window's picture; the network; smoothing, "unknown"; the rest."""

_PACKET = 5


@dataclass(frozen=True, slots=True)
class Split:
    """A decision's parts.

    Attributes:
        network: One of `FILES`.
        stages: Median microseconds of CPU of each of `STAGES`; `session` is what is left of the whole.
        whole: Of `Session.push`, with the samples of a hop in one block.
        packets: The same in blocks of five samples, as BLE brings them.
        off_grid: The same in one block from a device whose clock drifts, so that its samples are resampled.
    """

    network: str
    stages: dict[str, float]
    whole: Spread
    packets: Spread
    off_grid: Spread

    @property
    def front_end_share(self) -> float:
        """Share of the whole that samples to picture take."""
        return self._front_end / self.whole.median

    @property
    def off_grid_share(self) -> float:
        """The same of samples that have to be resampled: all that they cost more is the front-end's."""
        more = self.off_grid.median - self.whole.median
        return (self._front_end + more) / self.off_grid.median

    @property
    def _front_end(self) -> float:
        return sum(self.stages[name] for name in ("resample", "columns", "picture"))


def measure_split(network: str, decisions: int) -> Split:
    """Take the CPU times of the stages and of whole sessions in turns.

    Args:
        network: One of `FILES`.
        decisions: On which medians are taken.
    """
    model, recording = load_model(FILES[network]), read_recording(demo_recording())
    hop = model.card.input.hop_columns * model.plan.hop
    stages = _Stages(model)
    drifting = replace(recording, times=recording.times * DRIFT)
    sessions = {
        "whole": (Session(model, 50.0, recording.channels), list(recording.blocks(hop)), 1),
        "packets": (
            Session(model, 50.0, recording.channels),
            list(recording.blocks(_PACKET)),
            hop // _PACKET,
        ),
        "off_grid": (Session(model, 50.0, recording.channels), list(drifting.blocks(hop)), 1),
    }
    times: dict[str, list[float]] = defaultdict(list)
    warm = model.window_samples // hop + 2
    for number in range(min(warm + decisions, len(recording) // hop - 1)):
        stages.push(sessions["whole"][1][number])
        for name, (session, blocks, each) in sessions.items():
            begin, made = time.process_time(), []
            for block in blocks[number * each : (number + 1) * each]:
                made += session.push(block)
            if number >= warm and made:  # off the grid, now and then none is due
                times[name].append(time.process_time() - begin)
    spreads = {name: Spread.of(of, 1e6) for name, of in times.items()}
    medians = {name: 1e6 * float(np.median(of[-decisions:])) for name, of in stages.times.items()}
    medians["session"] = max(0.0, spreads["whole"].median - sum(medians.values()))
    return Split(network, {name: round(medians[name], 2) for name in STAGES}, **spreads)


class _Stages:
    """What a session does, with a watch on each part."""

    def __init__(self, model: Model) -> None:
        spec = model.card.input
        seconds = model.window_samples / spec.rate
        self._model, self.times = model, defaultdict[str, list[float]](list)
        self._resampler = Resampler(spec.rate, spec.rate, len(spec.channels), seconds)
        self._spectrogram = StreamingSpectrogram(model.plan, spec.columns)
        self._maker = DecisionMaker(model.card.decision, model.card.labels)

    def push(self, block: SampleBlock) -> None:
        """Take in the samples of a hop."""
        spectrogram, times = self._spectrogram, self.times
        segments = timed(times, "resample", lambda: self._resampler.push(block.times, block.values))
        timed(times, "columns", lambda: [spectrogram.push(segment.values) for segment in segments])
        if spectrogram.total < self._model.card.input.columns:
            return
        picture = timed(times, "picture", lambda: np.ascontiguousarray(stack(spectrogram.picture())))
        output = timed(times, "network", lambda: self._model.engine.run(picture))
        timed(times, "decision", lambda: self._maker.decide(0.0, 1.0, *output))

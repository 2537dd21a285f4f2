"""Session: the state of one wearable. Pure computation: no I/O, no clock, no threads."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from img2imu_edge.decision import Decision, DecisionMaker, Status
from img2imu_edge.engines import Output
from img2imu_edge.errors import SensorMismatchError
from img2imu_edge.model import Model
from img2imu_edge.resample import Flags, Resampler, Segment, Times, Values
from img2imu_edge.ring import RingBuffer
from img2imu_edge.samples import SampleBlock
from img2imu_edge.spectrogram import StreamingSpectrogram, stack

MOST_AT_ONCE = 16
"""Windows in one run of the network: more are no faster, and cost memory that the engine then keeps."""

MOST_HELD = 256
"""Blocks that wait for the next window, so that times that hardly move on cannot fill the memory."""


@dataclass(slots=True)
class SessionStats:
    """Counters of one session.

    Attributes:
        samples: Samples taken in.
        invalid: Of these, dropped because they were not finite.
        late: Of these, dropped because their time was not after the one before.
        bridged: Samples on the model's grid that only bridge a gap.
        restarts: Times the window started anew, the first start included.
        decisions: Decisions made, warming-up ones included.
        skipped: Decisions left out because the device could not keep up.
    """

    samples: int = 0
    invalid: int = 0
    late: int = 0
    bridged: int = 0
    restarts: int = 0
    decisions: int = 0
    skipped: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """What a session makes of samples before the network is asked.

    Attributes:
        time: Device time in seconds of its last sample.
        coverage: Share of its samples that were really received.
        status: `ok` if the network is to be asked.
        fresh: Whether it is the first one after a start.
        seen: What the network takes; None if it is not to be asked.
    """

    time: float
    coverage: float
    status: Status
    fresh: bool
    seen: Values | None = None


class Session:
    """Samples of one wearable in, decisions out: `for decision in session.push(block)`.

    Decisions depend on the samples alone, never on how they were cut into blocks.

    Args:
        model: The shared model.
        rate: Nominal sampling rate of the wearable in Hz; the samples' own times are what counts.
        channels: The wearable's channels.

    Attributes:
        model: As above.
        stats: Counters.
        start: Device time in seconds of the first sample on the model's grid, since the last start.

    Raises:
        SensorMismatchError: If the wearable lacks a channel that the model needs.
    """

    def __init__(self, model: Model, rate: float, channels: Sequence[str]) -> None:
        wanted = model.card.input.channels
        missing = [name for name in wanted if name not in channels]
        if missing:
            raise SensorMismatchError(
                f"model {model.card.name!r} needs {', '.join(wanted)}, but the device does not deliver "
                f"{', '.join(missing)}; use a model for {', '.join(channels)}, or switch the sensor on"
            )
        self.model = model
        self.stats = SessionStats()
        plan, spec = model.plan, model.card.input
        self._order = None if tuple(channels) == wanted else [list(channels).index(name) for name in wanted]
        self._resampler = Resampler(rate, spec.rate, len(wanted), model.window_samples / spec.rate)
        self._spectrogram = StreamingSpectrogram(plan, spec.columns)
        kept = 2 * model.window_samples
        self._samples: RingBuffer[np.float32] = RingBuffer(kept, (len(wanted),), np.float32)
        self._real: RingBuffer[np.bool_] = RingBuffer(kept, (), np.bool_)
        self._maker = DecisionMaker(model.card.decision, model.card.labels)
        self._held: list[tuple[Times, Values]] = []
        # Blocks wait here as long as they come in order and the next window cannot be complete.
        self._latest, self._ends = math.inf, math.inf
        self.start = 0.0
        self._fresh = True
        self._due, self._drawn = self._first_due, 0

    @property
    def _first_due(self) -> int:
        """Columns at the first decision, such that a later one falls right on the first full window."""
        spec = self.model.card.input
        return (spec.columns - 1) % spec.hop_columns + 1

    @property
    def _due_samples(self) -> int:
        """Samples on the grid at the next decision."""
        return (self._due - 1) * self.model.plan.hop + self.model.plan.frame

    @property
    def spectrogram(self) -> StreamingSpectrogram:
        """The spectrogram up to the latest decision, for showing it."""
        return self._spectrogram

    @property
    def samples_total(self) -> int:
        """Samples on the model's grid since the last start."""
        return self._real.total

    def samples_since(self, start: int) -> Values:
        """A copy of the samples from number `start` on, as far as the latest window still has them.

        Returns:
            (samples, channels) on the model's grid; NaN where a gap was bridged.
        """
        total = self._real.total
        first = min(max(start, total - self.model.window_samples, 0), total)
        values = self._samples.view(first, total).copy()
        values[~self._real.view(first, total)] = np.nan
        return values

    def push(self, block: SampleBlock, *, latest_only: bool = False) -> list[Decision]:
        """Take in samples.

        Args:
            block: Samples with the channels named at the start, in that order.
            latest_only: Skip all but the last decision that this block completes, to catch up under load.
                No sample is skipped.

        Returns:
            The decisions that they complete, in order.
        """
        windows = self.take(block)
        return decide([(self, self.thin(windows) if latest_only else windows)])[0]

    def finish(self) -> list[Decision]:
        """The decisions still held back, at the end of the stream."""
        return decide([(self, self.rest())])[0]

    def take(self, block: SampleBlock) -> list[Window]:
        """Take in samples as `push` does, but leave the network to `decide`, which asks it for many at once.

        Returns:
            The windows that they complete, in order.
        """
        times, values = block.times, block.values
        self.stats.samples += len(times)
        in_order = len(times) and self._latest < times[0]
        if in_order and len(self._held) < MOST_HELD and not self._resampler.reaches(times, self._ends):
            self._latest = times.item(-1)
            self._held.append((times.copy(), values.copy()))  # whoever pushes may use the memory again
            return []
        self._held.append((times, values))
        return self._consume(self._resampler.push(*self._release()))

    def rest(self) -> list[Window]:
        """The windows still held back, at the end of the stream."""
        windows = self._consume(self._resampler.push(*self._release())) if self._held else []
        return windows + self._consume(self._resampler.flush())

    def thin(self, windows: list[Window]) -> list[Window]:
        """Leave out all but the last of some windows, to catch up under load. No sample is left out."""
        self.stats.skipped += len(windows[:-1])
        self.stats.decisions -= len(windows[:-1])
        return [replace(windows[-1], fresh=any(window.fresh for window in windows))] if windows else []

    def settle(self, window: Window, output: Output | None) -> Decision:
        """The decision on a window.

        Args:
            window: From `take`, in its order.
            output: What the network says of it; None where there is nothing to ask.
        """
        if window.fresh:
            self._maker.reset()
        if output is None:
            return Decision(window.time, None, 0.0, window.coverage, window.status)
        return self._maker.decide(window.time, window.coverage, *output)

    def _release(self) -> tuple[Times, Values]:
        """What was held, in one piece: to resample many samples costs little more than to resample one."""
        times, values = self._held[0]
        if len(self._held) > 1:
            times = np.concatenate([part for part, _ in self._held])
            values = np.concatenate([part for _, part in self._held])
        self._held.clear()
        self._latest = times.item(-1) if len(times) else math.inf
        return times, values if self._order is None else values[:, self._order]

    def _consume(self, segments: list[Segment]) -> list[Window]:
        windows = []
        for segment in segments:
            if segment.restart:
                self._restart(segment.start)
            windows += self._step(segment.values, segment.real)
        self.stats.invalid, self.stats.late = self._resampler.invalid, self._resampler.late
        self._ends = self.start + (self._due_samples - 1) / self.model.card.input.rate
        return windows

    def _restart(self, start: float) -> None:
        self.stats.restarts += 1
        self.start = start
        self._spectrogram.clear()
        self._samples.clear()
        self._real.clear()
        self._fresh = True
        self._due, self._drawn = self._first_due, 0

    def _step(self, values: Values, real: Flags) -> list[Window]:
        """Feed grid samples, stopping at every window that they complete.

        Columns are made then, several at once, and not as their samples come: that costs half as much.
        """
        hop = self.model.card.input.hop_columns
        self.stats.bridged += len(real) - int(np.count_nonzero(real))
        windows = []
        while len(values):
            due = self._due_samples
            needed = due - self._real.total
            self._samples.append(values[:needed])
            self._real.append(real[:needed])
            values, real = values[needed:], real[needed:]
            if self._real.total == due:
                self._spectrogram.push(self._samples.view(self._drawn, due))
                self._drawn = due
                windows.append(self._window())
                self._due += hop
        self.stats.decisions += len(windows)
        return windows

    def _window(self) -> Window:
        card, total = self.model.card, self._real.total
        length = self.model.window_samples
        coverage = int(np.count_nonzero(self._real.view(max(total - length, 0), total))) / length
        time = self.start + (total - 1) / card.input.rate
        fresh, self._fresh = self._fresh, False
        if self._spectrogram.total < card.input.columns:
            return Window(time, coverage, "warming_up", fresh)
        if coverage < card.decision.min_coverage:
            return Window(time, coverage, "gap", fresh)
        if card.input.form == "samples":
            seen = self._samples.view(total - length, total).copy()
        else:
            seen = np.ascontiguousarray(stack(self._spectrogram.picture()))
        return Window(time, coverage, "ok", fresh, seen)


def decide(taken: Sequence[tuple[Session, Sequence[Window]]]) -> list[list[Decision]]:
    """Decide on windows of any number of sessions of one model, with one run of the network.

    Args:
        taken: Sessions, and what `Session.take` gave for each.

    Returns:
        The decisions of each session, in order; what `Session.push` would have given.
    """
    seen = [window.seen for _, windows in taken for window in windows if window.seen is not None]
    outputs = iter(_run(taken[0][0].model, seen) if seen else [])
    return [
        [session.settle(window, None if window.seen is None else next(outputs)) for window in windows]
        for session, windows in taken
    ]


def _run(model: Model, seen: list[Values]) -> list[Output]:
    if len(seen) == 1:
        return [model.engine.run(seen[0])]
    found = []
    for start in range(0, len(seen), MOST_AT_ONCE):
        logits, embeddings = model.engine.run_many(np.stack(seen[start : start + MOST_AT_ONCE]))
        found += [Output(*pair) for pair in zip(logits, embeddings, strict=True)]
    return found

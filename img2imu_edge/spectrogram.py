"""Samples to pictures: one definition, in batch and in streaming form.

Every column is one matrix product of a frame with a fixed basis (Hann-windowed cosines and sines, mean
removal and scaling folded in), followed by a logarithm. The product has the same shape for one column as for
a thousand, so streaming gives the same bits as batch, however the samples were chunked; and the basis is
also what an exported graph multiplies with.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from img2imu_edge.ring import RingBuffer
from img2imu_edge.spec import SpectrogramSpec

Array = NDArray[np.float32]

_DB_PER_NEPER = 10.0 / np.log(10.0)
_ZERO, _ONE = np.float32(0.0), np.float32(1.0)
_COLUMNS_AT_ONCE = 1024


class SpectrogramPlan:
    """A spec made ready for one sampling rate and number of axes.

    Args:
        spec: The definition.
        rate: Sampling rate in Hz.
        axes: Channels of the samples. Fixed contrast knows three (accelerometer) and six (accelerometer, then
            gyroscope).

    Attributes:
        frame: Samples behind one column.
        hop: Samples from one column to the next.
        rows: Rows of one axis' picture: the level rows, then one per frequency.
        frequencies: (frequencies,) Hz, ascending.
        basis: (frame, level rows + 2 × frequencies) float32: levels, cosines, sines.
        floor: Added to a power before its logarithm.
        gain: (axes, rows) float32: cell = level × gain + offset, or ln(power + floor) × gain + offset.
        offset: As `gain`.

    Raises:
        ValueError: If the spec cannot be had at this rate or with these axes.
    """

    def __init__(self, spec: SpectrogramSpec, rate: float, axes: int) -> None:
        self.spec, self.rate, self.axes = spec, rate, axes
        self.frame = round(spec.frame_s * rate)
        self.hop = max(1, round(spec.hop_s * rate))
        if self.frame < 4:
            raise ValueError(f"a frame of {spec.frame_s:g} s has only {self.frame} samples at {rate} Hz")
        if spec.frequencies == "linear":
            self.frequencies = np.fft.rfftfreq(self.frame, 1.0 / rate)
        else:
            self.frequencies = np.geomspace(spec.f_min, spec.f_max, spec.bins)
            if spec.f_max > rate / 2:
                raise ValueError(f"{rate} Hz sampling cannot show {spec.f_max} Hz: it ends at {rate / 2} Hz")
        self.rows = spec.level_rows + len(self.frequencies)
        self.basis = self._make_basis()
        self.gain, self.offset = self._make_contrast()
        self.floor = np.float32(spec.floor)

    def _make_basis(self) -> Array:
        """Columns of the product; power is cosine² + sine², in unit²/Hz (the one-sided periodogram)."""
        spec, n = self.spec, np.arange(self.frame)
        longest = self.frame / self.rate
        periods = spec.cycles / self.frequencies if spec.cycles else np.full(len(self.frequencies), longest)
        windows = np.stack([self._hann(float(seconds)) for seconds in periods], axis=1)
        phase = 2 * np.pi * np.outer(n, self.frequencies) / self.rate
        one_sided = np.where((self.frequencies == 0) | (self.frequencies == self.rate / 2), 1.0, 2.0)
        windows_twice = np.tile(windows * np.sqrt(one_sided / (self.rate * np.sum(windows**2, axis=0))), 2)
        waves = windows_twice * np.concatenate([np.cos(phase), np.sin(phase)], axis=1)
        if spec.detrend:
            waves -= windows_twice * (waves.sum(axis=0) / windows_twice.sum(axis=0))
        levels = [self._hann(seconds) for seconds in spec.levels_s or (longest,)]
        means = np.stack([window / window.sum() for window in levels], axis=1)
        repeated = np.repeat(means, spec.level_rows // len(levels), axis=1)
        basis: Array = np.concatenate([repeated, waves], axis=1).astype(np.float32)
        return basis

    def _hann(self, seconds: float) -> NDArray[np.float64]:
        """A Hann window around the frame's middle, 0 outside; of four samples at least, a frame at most."""
        length = min(self.frame, max(4, round(seconds * self.rate)))
        window = np.zeros(self.frame)
        first = (self.frame - length) // 2
        window[first : first + length] = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)
        return window

    def _make_contrast(self) -> tuple[Array, Array]:
        """`gain` and `offset`."""
        shape, rows = (self.axes, self.rows), self.spec.level_rows
        gain, offset = np.ones(shape, np.float32), np.zeros(shape, np.float32)
        if self.spec.contrast == "window":
            return gain * np.float32(_DB_PER_NEPER), offset
        sensors = {3: ("acc",), 6: ("acc", "gyr")}.get(self.axes)
        if sensors is None:
            raise ValueError(f"fixed contrast takes 3 or 6 axes, not {self.axes}")
        lacking = [name for name in sensors if name not in self.spec.ranges]
        if lacking:
            raise ValueError(f"the spec has no range for {lacking[0]!r}")
        for axis, name in enumerate(sensor for sensor in sensors for _ in range(3)):
            shown = self.spec.ranges[name]
            span = shown.high_db - shown.low_db
            gain[axis, :rows], offset[axis, :rows] = 0.5 / shown.level, 0.5
            gain[axis, rows:], offset[axis, rows:] = _DB_PER_NEPER / span, -shown.low_db / span
        return gain, offset

    def columns(self, samples: Array) -> Array:
        """The columns of all whole frames in a run of samples.

        Args:
            samples: (n, axes); frames start at its first sample.

        Returns:
            (columns, axes, rows): cells from 0 to 1 with fixed contrast, decibels with `window` contrast.
        """
        count = max(0, (len(samples) - self.frame) // self.hop + 1)
        if count == 0:
            return np.empty((0, self.axes, self.rows), np.float32)
        # Overlapping views, (columns, axes, frame): `sliding_window_view` at a tenth of its cost.
        samples = np.ascontiguousarray(samples)
        step, item = samples.strides
        shape, strides = (count, self.axes, self.frame), (self.hop * step, item, step)
        frames: Array = np.ndarray(shape, np.float32, samples, strides=strides)
        product = np.matmul(frames, self.basis)
        rows, bins = self.spec.level_rows, len(self.frequencies)
        waves = product[..., rows:]
        np.square(waves, out=waves)
        cells: Array = product[..., : self.rows]
        power = cells[..., rows:]
        power += waves[..., bins:]
        power += self.floor
        np.log(power, out=power)
        cells = cells * self.gain
        cells += self.offset
        if self.spec.contrast == "fixed":
            np.maximum(cells, _ZERO, out=cells)
            np.minimum(cells, _ONE, out=cells)
        return cells

    def stretch(self, picture: Array) -> Array:
        """Finish a window's picture (axes, rows, columns): with `window` contrast, each axis to 0 … 1."""
        if self.spec.contrast == "fixed":
            return picture
        low = picture.min(axis=(1, 2), keepdims=True)
        span = picture.max(axis=(1, 2), keepdims=True) - low
        stretched: Array = (picture - low) / np.where(span > 0, span, np.float32(1))
        return stretched


def stack(picture: Array) -> Array:
    """A spectrogram as a network's picture: x, y, z become red, green, blue; the gyroscope stands on top.

    Args:
        picture: (axes, rows, columns), 3 or 6 axes, the accelerometer's first.

    Returns:
        (3, sensors × rows, columns), C-contiguous: the accelerometer's rows, then the gyroscope's.
    """
    axes, rows, columns = picture.shape
    by_sensor = picture.reshape(axes // 3, 3, rows, columns).transpose(1, 0, 2, 3)
    return by_sensor.reshape(3, -1, columns)


def spectrogram(samples: NDArray[np.floating], spec: SpectrogramSpec, rate: float) -> Array:
    """The spectrogram of a whole window or recording.

    Args:
        samples: (samples, axes), SI units, all finite.
        spec: What picture to make, such as `SpectrogramSpec.preset("paper")`.
        rate: Sampling rate in Hz.

    Returns:
        (axes, frequency, time) float32 from 0 to 1, lowest frequency first.

    Raises:
        ValueError: If there is not a single whole frame, a sample is not finite, or the spec cannot be had at
            this rate or with these axes.
    """
    samples = np.ascontiguousarray(samples, dtype=np.float32)
    if samples.ndim != 2:
        raise ValueError(f"samples have shape {samples.shape}; expected (samples, axes)")
    plan = SpectrogramPlan(spec, rate, samples.shape[1])
    if len(samples) < plan.frame:
        raise ValueError(f"{len(samples)} samples are less than one frame of {plan.frame}")
    if not np.isfinite(samples).all():
        raise ValueError("samples hold NaN or infinity; leave those rows out or fill them first")
    step = _COLUMNS_AT_ONCE * plan.hop
    parts = [
        plan.columns(samples[start : start + step - plan.hop + plan.frame])
        for start in range(0, len(samples) - plan.frame + 1, step)
    ]
    picture = np.ascontiguousarray(np.concatenate(parts).transpose(1, 2, 0))
    return plan.stretch(picture)


class StreamingSpectrogram:
    """The same spectrogram, fed sample by sample: only new columns are computed.

    Args:
        plan: The spec at a rate.
        columns: Columns of a window.
    """

    def __init__(self, plan: SpectrogramPlan, columns: int) -> None:
        self.plan, self.columns = plan, columns
        self._samples = RingBuffer(max(4 * plan.frame, plan.frame + 64 * plan.hop), (plan.axes,), np.float32)
        self._columns = RingBuffer(2 * columns, (plan.axes, plan.rows), np.float32)

    @property
    def total(self) -> int:
        """Columns made since the start."""
        return self._columns.total

    def push(self, samples: Array) -> int:
        """Take in samples (n, axes), any n; returns how many columns they completed."""
        before = self.total
        room = min(self._samples.capacity - self.plan.frame, self.columns * self.plan.hop)
        for start in range(0, len(samples), room):
            self._samples.append(samples[start : start + room])
            first = self._columns.total * self.plan.hop
            fresh = self._samples.view(min(first, self._samples.total), self._samples.total)
            self._columns.append(self.plan.columns(fresh))
        return self.total - before

    def picture(self) -> Array:
        """The latest window's picture, (axes, rows, columns).

        With fixed contrast it is a view, valid until the next `push`.

        Raises:
            IndexError: If the first window is not yet full.
        """
        latest = self._columns.view(self.total - self.columns, self.total)
        return self.plan.stretch(latest.transpose(1, 2, 0))

    def since(self, start: int) -> Array:
        """A copy of the columns from number `start` on, as far as the latest window still has them.

        Returns:
            (columns, axes, rows), cells from 0 to 1.
        """
        first = max(self.total - self.columns, 0)
        if start >= self.total:
            return np.empty((0, self.plan.axes, self.plan.rows), np.float32)
        latest = self._columns.view(first, self.total).transpose(1, 2, 0)
        return self.plan.stretch(latest)[..., max(start - first, 0) :].transpose(2, 0, 1).copy()

    def clear(self) -> None:
        """Start anew with the next sample, as after a long gap."""
        self._samples.clear()
        self._columns.clear()

"""What a network sees, cut into parts that can be hidden: axis × frequency band × stretch of time.

A hidden part of a picture shows what its rows show in their quietest tenth of the window, and no level, as if
nothing had moved there and then. Of samples, the band's share of the signal is taken off.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from img2imu_edge.engines import Array
from img2imu_edge.model import Model
from img2imu_edge.spectrogram import SpectrogramPlan

Bools = NDArray[np.bool_]
Indices = NDArray[np.intp]

TIMES = 5
"""Stretches of time in a window."""

_BANDS, _SAMPLE_BANDS, _LEVELS = 12, 8, 4
_QUIET = 0.1
_NO_LEVEL = 0.5
_FADE_S = 0.2


class Band(NamedTuple):
    """A range of frequencies in Hz; both 0 for the level, a mean over time: posture, slow turning."""

    low: float
    high: float

    @property
    def is_level(self) -> bool:
        """Whether it is the level."""
        return self.high == 0


class Parts(Protocol):
    """A window in parts.

    Attributes:
        picture: (axes, rows, columns), what it looks like, cells from 0 to 1.
        bands: What the parts of one axis are, from the lowest.
        row_bands: (rows,) band of each row.
        column_times: (columns,) stretch of time of each column.
    """

    picture: Array
    bands: tuple[Band, ...]
    row_bands: Indices
    column_times: Indices

    def hide(self, hidden: Bools) -> Array:
        """The window without some parts.

        Args:
            hidden: (n, axes, bands, times).

        Returns:
            (n, *input_shape), for `Engine.run_many`.
        """
        ...


def parts_of(model: Model, seen: Array) -> Parts:
    """Cut what a model's network sees into parts.

    Args:
        model: The model.
        seen: What its network takes: (3, rows, columns), or (samples, axes), as in `Window.seen`.

    Raises:
        ValueError: If it has another shape.
    """
    if seen.shape != model.engine.input_shape:
        raise ValueError(f"the network takes {model.engine.input_shape}, not {seen.shape}")
    return _SampleParts(model, seen) if model.card.input.form == "samples" else _PictureParts(model, seen)


class _PictureParts:
    """Parts of a picture: blocks of neighbouring cells of one axis."""

    def __init__(self, model: Model, seen: Array) -> None:
        plan = model.plan
        self.picture = _unstack(seen, plan.rows)
        self.bands, self.row_bands = _picture_bands(plan)
        self.column_times = _blocks(self.picture.shape[2], TIMES)
        levels = plan.spec.level_rows
        quiet = np.quantile(self.picture, _QUIET, axis=2, keepdims=True).astype(np.float32)
        quiet[:, :levels] = _NO_LEVEL
        self._quiet = np.broadcast_to(quiet, self.picture.shape)

    def hide(self, hidden: Bools) -> Array:
        """As `Parts.hide`."""
        cells = hidden[:, :, self.row_bands][..., self.column_times]
        return _stack_many(np.where(cells, self._quiet, self.picture))


class _SampleParts:
    """Parts of a signal: bands by Fourier transform, faded in and out at the ends of a stretch of time."""

    def __init__(self, model: Model, seen: Array) -> None:
        plan = model.plan
        self.picture = plan.stretch(plan.columns(seen).transpose(1, 2, 0))
        self._samples = seen
        low = max(float(plan.frequencies[0]), plan.rate / len(seen))
        edges = np.geomspace(low, float(plan.frequencies[-1]), _SAMPLE_BANDS + 1)
        pairs = zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)
        self.bands = (Band(0.0, 0.0), *(Band(*pair) for pair in pairs))
        row_bands = np.searchsorted(edges[1:-1], plan.frequencies, side="right") + 1
        row_bands[plan.frequencies < low] = 0
        self.row_bands = np.concatenate([np.zeros(plan.spec.level_rows, np.intp), row_bands])
        self.column_times = _blocks(self.picture.shape[2], TIMES)
        spectrum = np.fft.rfft(seen, axis=0)
        band_of = np.searchsorted(edges[:-1], np.fft.rfftfreq(len(seen), 1 / plan.rate), side="right")
        chosen = np.arange(len(self.bands))[:, None, None] == band_of[:, None]
        shares = np.fft.irfft(np.where(chosen, spectrum, 0), len(seen), axis=1)
        self._shares = shares.transpose(2, 0, 1)  # (axes, bands, samples)
        self._fades = self._make_fades(plan, len(seen))

    def _make_fades(self, plan: SpectrogramPlan, samples: int) -> NDArray[np.float64]:
        """(times, samples), how much of each sample belongs to each stretch; 1 in sum."""
        starts = np.flatnonzero(np.diff(self.column_times)) + 1
        edges = starts * plan.hop + (plan.frame - plan.hop) / 2
        rises = np.clip((np.arange(samples) - edges[:, None]) / (_FADE_S * plan.rate) + 0.5, 0, 1)
        begun = np.concatenate([np.ones((1, samples)), rises, np.zeros((1, samples))])
        fades: NDArray[np.float64] = begun[:-1] - begun[1:]
        return fades

    def hide(self, hidden: Bools) -> Array:
        """As `Parts.hide`."""
        faded = hidden.astype(np.float64) @ self._fades
        taken = np.einsum("nabi,abi->nia", faded, self._shares)
        return np.ascontiguousarray(self._samples - taken, dtype=np.float32)


def _picture_bands(plan: SpectrogramPlan) -> tuple[tuple[Band, ...], Indices]:
    """Bands of a picture's rows, and each row's: levels first, then neighbouring frequencies."""
    levels = _blocks(plan.spec.level_rows, min(max(1, len(plan.spec.levels_s)), _LEVELS))
    waves = _blocks(len(plan.frequencies), _BANDS)
    groups = [plan.frequencies[waves == block] for block in range(int(waves[-1]) + 1)]
    bands = [Band(float(group[0]), float(group[-1])) for group in groups]
    count = int(levels[-1]) + 1 if len(levels) else 0
    return (*[Band(0.0, 0.0)] * count, *bands), np.concatenate([levels, waves + count])


def _blocks(items: int, most: int) -> Indices:
    """Number of the block of each of some items, in blocks of one size, the last one perhaps smaller."""
    return np.arange(items) // max(1, -(-items // max(most, 1)))


def _unstack(picture: Array, rows: int) -> Array:
    """The inverse of `stack`: (3, sensors × rows, columns) to (axes, rows, columns)."""
    columns = picture.shape[2]
    return picture.reshape(3, -1, rows, columns).transpose(1, 0, 2, 3).reshape(-1, rows, columns)


def _stack_many(pictures: Array) -> Array:
    """`stack` for (n, axes, rows, columns)."""
    n, axes, rows, columns = pictures.shape
    by_sensor = pictures.reshape(n, axes // 3, 3, rows, columns).transpose(0, 2, 1, 3, 4)
    return np.ascontiguousarray(by_sensor.reshape(n, 3, -1, columns))

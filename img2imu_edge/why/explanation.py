"""Explanation: what a decision rests on, as figures, as a map and as a sentence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from img2imu_edge.engines import Array
from img2imu_edge.spectrogram import stack
from img2imu_edge.why.parts import Band, Indices

_SENSORS = ("accelerometer", "gyroscope")
_MOSTLY = 0.5
"""Share of what speaks for a label, from which an axis, a band or a time is named for it."""
_MORE = 0.2
"""By how much that share must be more than if all were spread evenly."""
_AXES_NAMED = 2
_LEVEL = "the level"


@dataclass(frozen=True, slots=True, eq=False)
class Explanation:
    """Which part of a window speaks for a label, and which against it.

    Attributes:
        label: The class that is explained.
        probability: What the network gives it for this window alone: calibrated, not smoothed over time.
        likeliest: The class that it finds likeliest in this window.
        likeliest_probability: What it gives that one.
        without: The label's probability with the tenth of the parts hidden that matter most.
        effects: (axes, bands, times), by how much the label's log odds fall when that part is hidden; below 0
            for what speaks against it.
        picture: (axes, rows, columns), what the window looks like, cells from 0 to 1.
        channels: Name of each axis.
        bands: What the bands are, from the lowest.
        row_bands: (rows,) band of each row.
        column_times: (columns,) stretch of time of each column.
        seconds: Length of the window.
    """

    label: str
    probability: float
    likeliest: str
    likeliest_probability: float
    without: float
    effects: Array
    picture: Array
    channels: tuple[str, ...]
    bands: tuple[Band, ...]
    row_bands: Indices
    column_times: Indices
    seconds: float

    @property
    def map(self) -> Array:
        """(sensors × rows, columns), the effects laid over the network's picture, x, y and z added up."""
        cells = self.effects[:, self.row_bands][..., self.column_times]
        return np.asarray(stack(cells).sum(axis=0), dtype=np.float32)

    @property
    def axes(self) -> dict[str, float]:
        """Share of each axis in all that speaks for the label; 0 for all if nothing does."""
        return dict(zip(self.channels, self._shares((1, 2)), strict=True))

    @property
    def sensors(self) -> dict[str, float]:
        """Share of each sensor, likewise."""
        shares = list(self.axes.values())
        return {
            name: sum(shares[3 * at : 3 * at + 3]) for at, name in enumerate(_SENSORS[: len(shares) // 3])
        }

    @property
    def frequencies(self) -> list[tuple[Band, float]]:
        """Share of each band, likewise."""
        return list(zip(self.bands, self._shares((0, 2)), strict=True))

    @property
    def times(self) -> list[tuple[float, float, float]]:
        """Stretches of time, from the first: begin and end in seconds before the window's end, and share."""
        edges = self._edges()
        return list(zip(edges[:-1], edges[1:], self._shares((0, 1)), strict=True))

    def place(self) -> tuple[str, float]:
        """Where most of what speaks for the label is, and the share of all that is there.

        Returns:
            Such as "gyroscope y, 0.5–2 Hz, in the last 2 s", or nothing if it is spread; and 0 to 1.
        """
        evidence = np.maximum(self.effects.astype(np.float64), 0)
        axes, name = _axes_named(evidence.sum(axis=(1, 2)))
        found = evidence[axes]
        bands, band = self._bands_named(found.sum(axis=(0, 2)))
        times, time = self._times_named(found.sum(axis=(0, 1)))
        if band == _LEVEL:
            name, band = f"{_LEVEL} of {name or 'all axes'}", ""
        share = float(found[:, bands, times].sum() / max(float(evidence.sum()), 1e-12))
        return ", ".join(word for word in (name, band, time) if word), share

    def sentence(self) -> str:
        """The explanation for people."""
        place, share = self.place()
        where = f"above all {place} ({share:.0%} of what speaks for it)"
        if not place:
            axis = int(np.argmax(list(self.axes.values())))
            most = self.axes[self.channels[axis]]
            where = f"spread over the picture ({_joined([axis])} the most, {most:.0%})"
        if not (self.effects > 0).any():
            where = "nothing in the picture speaks for it"
        label, rival = self.label.replace("_", " "), self.likeliest.replace("_", " ")
        against = f" in this window alone, against {rival} with {self.likeliest_probability:.0%}"
        return (
            f"{label}, {self.probability:.0%}{against if rival != label else ''}: {where}. "
            f"With the tenth that matters most hidden: {self.without:.0%}."
        )

    def _shares(self, over: tuple[int, int]) -> list[float]:
        evidence = np.maximum(self.effects.astype(np.float64), 0)
        total = evidence.sum()
        shares: list[float] = (evidence.sum(axis=over) / (total if total > 0 else 1)).tolist()
        return shares

    def _edges(self) -> list[float]:
        """Ends of the stretches of time in seconds before the window's end: their columns' share of it."""
        counts = np.bincount(self.column_times, minlength=self.effects.shape[2])
        begun = np.concatenate([[0], np.cumsum(counts)]) / len(self.column_times)
        edges: list[float] = (self.seconds * (1 - begun)).tolist()
        return edges

    def _bands_named(self, shares: NDArray[np.floating]) -> tuple[slice, str]:
        levels = sum(band.is_level for band in self.bands)
        if levels and shares[:levels].sum() > _MOSTLY * shares.sum():
            return slice(levels), _LEVEL
        run = _run(shares[levels:])
        if run is None:
            return slice(None), ""
        first, last = levels + run[0], levels + run[1]
        return slice(first, last), f"{self.bands[first].low:.2g}–{self.bands[last - 1].high:.2g} Hz"

    def _times_named(self, shares: NDArray[np.floating]) -> tuple[slice, str]:
        run, edges = _run(shares), self._edges()
        if run is None:
            return slice(None), ""
        first, last = run
        if last == len(shares):
            return slice(first, last), f"in the last {edges[first]:.1f} s"
        return slice(first, last), f"{edges[first]:.1f} to {edges[last]:.1f} s before the end"


def _axes_named(shares: NDArray[np.floating]) -> tuple[list[int], str]:
    """One or two axes that have most of it, else the sensor, else all of them, which have no name."""
    total, ranked = shares.sum(), np.argsort(-shares, kind="stable").tolist()
    for count in range(1, _AXES_NAMED + 1):
        axes = sorted(ranked[:count])
        if shares[axes].sum() > _MOSTLY * total:
            return axes, _joined(axes)
    if len(shares) > 3:
        for at, name in enumerate(_SENSORS):
            axes = [3 * at, 3 * at + 1, 3 * at + 2]
            if shares[axes].sum() > 2 / 3 * total:
                return axes, f"the {name}"
    return list(range(len(shares))), ""


def _joined(axes: list[int]) -> str:
    """Such as "accelerometer x and y" or "accelerometer x and gyroscope y"."""
    words = [f"{_SENSORS[axis // 3]} {'xyz'[axis % 3]}" for axis in axes]
    if len({axis // 3 for axis in axes}) == 1:
        words[1:] = ["xyz"[axis % 3] for axis in axes[1:]]
    return " and ".join(words)


def _run(shares: NDArray[np.floating]) -> tuple[int, int] | None:
    """First, and behind the last, of the neighbours that have the most above an even spread.

    None if that is too little to speak of.
    """
    total, count = np.concatenate([[0.0], np.cumsum(shares, dtype=np.float64)]), len(shares)
    if not total[-1] > 0:
        return None
    runs = [(first, last) for first in range(count) for last in range(first + 1, count + 1)]
    part = {run: float(total[run[1]] - total[run[0]]) / float(total[-1]) for run in runs}
    more = {run: part[run] - (run[1] - run[0]) / count for run in runs}
    best = max(runs, key=lambda run: round(more[run], 9))
    return best if part[best] > _MOSTLY and more[best] > _MORE else None

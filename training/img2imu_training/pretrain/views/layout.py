"""Layout: which rows of a picture show what, so that a variation can keep to physics."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from img2imu_edge.spec import SpectrogramSpec

_UNKNOWN_SPAN_DB = 60.0


@dataclass(frozen=True, slots=True)
class Layout:
    """The parts of a picture (3, rows, columns).

    Attributes:
        rows: Rows in all, lowest frequency first.
        columns: Columns; time.
        sensors: Spectrograms stacked over each other.
        level_rows: Rows at the foot of each spectrogram that show the signed mean, not a power.
        span_db: Decibels between a cell of 0 and a cell of 1.
    """

    rows: int
    columns: int
    sensors: int = 1
    level_rows: int = 0
    span_db: float = _UNKNOWN_SPAN_DB

    def __post_init__(self) -> None:
        if self.rows < 2 or self.columns < 2:
            raise ValueError(f"a picture needs two rows and columns, not {self.rows} × {self.columns}")
        if self.sensors < 1 or self.rows % self.sensors:
            raise ValueError(f"{self.rows} rows cannot be shared by {self.sensors} sensors")
        if not 0 <= self.level_rows < self.sensor_rows:
            raise ValueError(f"{self.level_rows} level rows leave no row for frequencies")

    @classmethod
    def of(cls, spec: SpectrogramSpec, rows: int, columns: int) -> Layout:
        """The layout of pictures of a spectrogram, or a plain one if so many rows are not one or two of it.

        Ranges of sensors that differ in their span are not told apart: the accelerometer's counts.
        """
        each = spec.level_rows + spec.bins
        fits = rows in (each, 2 * each)
        if spec.contrast != "fixed" or spec.frequencies != "log" or not fits:
            return cls(rows, columns)
        span = spec.ranges["acc"].high_db - spec.ranges["acc"].low_db
        return cls(rows, columns, rows // each, spec.level_rows, span)

    @property
    def sensor_rows(self) -> int:
        """Rows of one sensor's spectrogram."""
        return self.rows // self.sensors

    def is_level(self, device: torch.device | None = None) -> Tensor:
        """(rows,) bool: which rows show a signed mean."""
        return torch.arange(self.rows, device=device) % self.sensor_rows < self.level_rows

"""How an OpenEarable describes a sensor of its own: names, types and units of what it sends, and its rates.

Facts: OpenEarable/open-earable-2, src/ParseInfo/{SensorScheme,SensorComponent}.cpp, ParseType.h.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from img2imu_bridge.profiles.numbers import to_float64
from img2imu_edge.errors import SourceError

_TYPES: Final = ("i1", "u1", "<i2", "<u2", "<i4", "<u4", "<f4", "<f8")
_FREQUENCIES_DEFINED: Final = 0x10
_SENSORS: Final = {"ACC": "acc", "GYR": "gyr"}
_MOST_COMPONENTS: Final = 32


@dataclass(frozen=True, slots=True)
class Scheme:
    """A sensor.

    Attributes:
        id: Its number.
        name: Its name.
        kind: A sample's layout; the fields that we have a name for are called so, such as `acc_x`.
        units: Of the fields that we have a name for.
        rates: Sampling rates in Hz that come over BLE, by index; empty if it does not tell.
    """

    id: int
    name: str
    kind: np.dtype[np.void]
    units: dict[str, str]
    rates: tuple[float, ...]


class _Reader:
    """Takes a description apart, byte by byte."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def take(self, count: int) -> bytes:
        part = self._data[self._at : self._at + count]
        if len(part) < count:
            raise SourceError("a sensor's description is cut short; update the earable's firmware")
        self._at += count
        return part

    def byte(self) -> int:
        return self.take(1)[0]

    def text(self) -> str:
        return self.take(self.byte()).decode("utf-8", "replace")


def read_scheme(data: bytes) -> Scheme:
    """Understand a sensor's description.

    Raises:
        SourceError: If it is malformed.
    """
    reader = _Reader(data)
    number, name, count = reader.byte(), reader.text(), reader.byte()
    if not 0 < count <= _MOST_COMPONENTS:
        raise SourceError(f"the sensor {name!r} has {count} components; update the earable's firmware")
    fields: list[tuple[str, str]] = []
    units: dict[str, str] = {}
    for index in range(count):
        kind, group, axis, unit = reader.byte(), reader.text(), reader.text(), reader.text()
        if kind >= len(_TYPES):
            raise SourceError(f"the sensor {name!r} sends an unknown type, {kind}; is it a newer model?")
        channel = f"{_SENSORS.get(group[:3].upper(), '')}_{axis.lower()}"
        known = channel[:4] in ("acc_", "gyr_") and axis.lower() in ("x", "y", "z") and channel not in units
        fields.append((channel if known else f"_{index}", _TYPES[kind]))
        if known:
            units[channel] = unit
    rates: tuple[float, ...] = ()
    if reader.byte() & _FREQUENCIES_DEFINED:
        total, _, most = reader.byte(), reader.byte(), reader.byte()
        frequencies = to_float64(np.frombuffer(reader.take(4 * total), "<f4"))
        rates = tuple(float(rate) for rate in frequencies[: most + 1] if np.isfinite(rate) and rate > 0)
        if len(rates) < min(total, most + 1):
            raise SourceError(f"the sensor {name!r} has rates that are none; update the earable's firmware")
    return Scheme(number, name, np.dtype(fields), units, rates)

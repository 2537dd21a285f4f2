"""Lines of numbers on a serial port: the format of Edge Impulse's data forwarder, and what sketches print.

One line a sample, numbers parted by commas or tabs: three are an acceleration in m/s², gravity included; six
are that and a rotation in rad/s. Nothing else is known of such a device, so the rate is measured, and what
lines hold in other units is told by the check of the samples, not put right here.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import Final, Literal

import numpy as np

from img2imu_bridge.profiles import Advertisement, Device, Packet, Stream, Wishes
from img2imu_bridge.profiles.pace import Pace, nominal
from img2imu_edge.errors import SourceError
from img2imu_edge.samples import ACCELEROMETER, GYROSCOPE

_LONGEST_LINE: Final = 512
_LARGEST: Final = float(np.finfo(np.float32).max)
_AXES: Final = {3: ACCELEROMETER, 6: ACCELEROMETER + GYROSCOPE}
_STREAM: Final = "lines"

_LISTEN: Final = 2.0
_PATIENCE: Final = 6.0
_LINES: Final = 10
_SHOWN: Final = 40
_OFF: Final = 0.1


class Lines:
    """Cuts bytes into lines of numbers, in the same way however the bytes are cut.

    The first line is left out: nobody knows whether its beginning came.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._begun = False

    def push(self, data: bytes) -> list[tuple[float, ...] | None]:
        """Take bytes; return the numbers of each line that ended, None for one with something else in it."""
        *ended, self._rest = (self._rest + data).split(b"\n")
        lines = ended if self._begun else ended[1:]
        self._begun = self._begun or bool(ended)
        numbers = [_numbers(line) for line in lines if line.strip()]
        if len(self._rest) > _LONGEST_LINE:
            self._rest, self._begun = b"", False
            numbers.append(None)
        return numbers


def _numbers(line: bytes) -> tuple[float, ...] | None:
    try:
        values = tuple(map(float, line.replace(b"\t", b",").split(b",")))
    except ValueError:
        return None
    return values if all(map(_LARGEST.__ge__, map(abs, values))) else None  # NaN neither


class CsvLines:
    """Any board that prints its samples; see `Profile`.

    A rate that is measured comes out a little different each time. A board that is plugged in again is to be
    the same one, so a source has a copy of its own, which remembers what was measured first.
    """

    name = "csv_lines"
    title = "any board that prints lines of 3 or 6 numbers (Edge Impulse data forwarder)"
    carrier: Literal["ble", "serial"] = "serial"
    checked = "from Edge Impulse's documentation; not seen on hardware"
    baud = 115200

    def __init__(self) -> None:
        self._settled: Stream | None = None

    def recognises(self, advertisement: Advertisement) -> bool:
        """Never: it does not advertise."""
        return False

    def decoder(self) -> CsvDecoder:
        """A decoder for one connection."""
        return CsvDecoder(self)

    def settle(self, stream: Stream) -> Stream:
        """The stream as it was measured first, if this is the same one."""
        first = self._settled
        if first is None or first.channels != stream.channels or abs(stream.rate / first.rate - 1) > _OFF:
            self._settled = first = stream
        return first


PROFILE = CsvLines()


class CsvDecoder:
    """Decoder of lines; see `Decoder`."""

    def __init__(self, profile: CsvLines) -> None:
        self._profile = profile
        self._lines = Lines()
        self._fields = 0
        self._kept = 0

    async def start(self, device: Device, wishes: Wishes) -> tuple[Stream, ...]:
        """Listen for how many numbers a line has, and how often one comes."""
        pace, fields, heard = Pace(), Counter[int](), b""
        begin = time.monotonic()
        while (now := time.monotonic()) - begin < _PATIENCE:
            try:
                data = await device.answer("", _PATIENCE - (now - begin))
            except SourceError:
                break
            heard = (heard + data)[-4 * _LONGEST_LINE :]
            lines = self._lines.push(data)
            fields.update(len(line) for line in lines if line)
            if lines:
                pace.observe(len(lines), time.monotonic())
            if fields.total() >= _LINES and (wishes.rate or pace.seconds >= _LISTEN):
                break
        usual, count = fields.most_common(1)[0] if fields else (0, 0)
        if usual not in _AXES or 2 * count < fields.total():
            raise SourceError(_advice(heard, usual))
        if not wishes.rate and not pace.rate:
            raise SourceError("too few lines came to tell the sampling rate; give it, such as &rate=50")
        channels = _AXES[usual] if wishes.gyroscope else ACCELEROMETER
        self._fields, self._kept = usual, len(channels)
        return (self._profile.settle(Stream(_STREAM, channels, wishes.rate or nominal(pace.rate))),)

    def decode(self, characteristic: str, value: bytes) -> list[Packet]:
        """Understand bytes; each line that is none makes an empty packet, which counts as corrupt."""
        lines = self._lines.push(value)
        rows = [line[: self._kept] for line in lines if line and len(line) == self._fields]
        packets = [self._packet([])] * (len(lines) - len(rows))
        return [*packets, self._packet(rows)] if rows else packets

    async def stop(self, device: Device) -> None:
        """Nothing: it streams on its own."""

    def _packet(self, rows: list[tuple[float, ...]]) -> Packet:
        return Packet(_STREAM, np.array(rows, np.float32).reshape(len(rows), self._kept))


def _advice(heard: bytes, fields: int) -> str:
    if not heard:
        return "nothing came; does the board print its samples, and is its cable one with data?"
    if fields:
        return (
            f"its lines have {fields} numbers; a line must have 3 (acceleration in m/s²) or 6 (and rotation "
            "in rad/s), parted by commas or tabs, and nothing else"
        )
    sample = heard[-_SHOWN:].decode("ascii", "backslashreplace").replace("\r", "").replace("\n", " ⏎ ")
    return (
        f"no line of numbers came, but: {sample!r}. A line must have 3 or 6 numbers parted by commas or "
        "tabs. If this is gibberish, the speed is another one: give it, such as &baud=9600"
    )

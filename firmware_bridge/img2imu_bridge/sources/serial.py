"""`serial:///dev/ttyUSB0?baud=115200`: a device on a serial port."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import SplitResult

from img2imu_bridge.options import options_of, path_of
from img2imu_bridge.supervisor import WireSource
from img2imu_bridge.transports.serial import SerialTransport
from img2imu_edge.errors import SourceError


@dataclass(frozen=True, slots=True)
class SerialOptions:
    """Options of `serial:`.

    Attributes:
        baud: Speed; devices on USB ignore it.
        retry_for: Seconds to try to reconnect before giving up.
    """

    baud: int = 115200
    retry_for: float = float("inf")


def open_serial(url: SplitResult) -> WireSource:
    """The source behind a `serial:` URL."""
    options = options_of(url, SerialOptions)
    port = path_of(url)
    if not port:
        raise SourceError("serial: needs a port, such as serial:///dev/ttyUSB0 or serial:COM3")
    return serial_source(url.geturl(), port, options)


def serial_source(url: str, port: str, options: SerialOptions) -> WireSource:
    """A source on a serial port that is known by its name."""
    return WireSource(url, lambda stats: SerialTransport(port, options.baud, stats), options.retry_for)

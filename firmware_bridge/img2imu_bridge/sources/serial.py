"""`serial:///dev/ttyUSB0?baud=115200`: a device on a serial port."""

from __future__ import annotations

import math
from dataclasses import dataclass
from urllib.parse import SplitResult

from img2imu_bridge.options import options_of, path_of
from img2imu_bridge.supervisor import LinkPolicy, WireSource
from img2imu_bridge.transports.serial import SerialTransport
from img2imu_edge.errors import SourceError


@dataclass(frozen=True, slots=True)
class SerialOptions:
    """Options of `serial:`.

    Attributes:
        baud: Speed; devices on USB ignore it.
        timeout: Seconds that the device has to answer once the port is open.
        reconnect: How often a lost device may be found again; 0 to give up at the first loss.
        retry_for: Seconds to look for it each time.
    """

    baud: int = 115200
    timeout: float = 5.0
    reconnect: float = math.inf
    retry_for: float = math.inf

    def __post_init__(self) -> None:
        if self.baud < 1:
            raise ValueError("baud must be positive")
        self.policy()

    def policy(self) -> LinkPolicy:
        """How patient the supervisor is to be."""
        return LinkPolicy(self.timeout, self.reconnect, self.retry_for)


def open_serial(url: SplitResult) -> WireSource:
    """The source behind a `serial:` URL."""
    options = options_of(url, SerialOptions)
    port = path_of(url)
    if not port:
        raise SourceError("serial: needs a port, such as serial:///dev/ttyUSB0 or serial:COM3")
    return serial_source(url.geturl(), port, options)


def serial_source(url: str, port: str, options: SerialOptions) -> WireSource:
    """A source on a serial port that is known by its name."""
    return WireSource(url, lambda stats: SerialTransport(port, options.baud, stats), options.policy())

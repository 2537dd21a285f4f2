"""Opening a serial port, and saying in plain words why that fails."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from typing import Any

import serial
from serial.tools import list_ports

from img2imu_edge.errors import SourceError

_WRITE_SECONDS = 0.5


def open_port(path: str, baud: int) -> Any:
    """Open a port for this process alone, with the shortest delays the driver offers.

    Args:
        path: Device file, or a name such as COM3.
        baud: Bits per second.

    Returns:
        An open `serial.Serial`; its input is empty. How long its reads wait is up to who reads.

    Raises:
        SourceError: If it cannot be opened.
    """
    try:
        port = serial.Serial(
            path,
            baud,
            write_timeout=_WRITE_SECONDS,
            exclusive=True if os.name == "posix" else None,
        )
    except (serial.SerialException, ValueError, OSError) as error:
        raise SourceError(explain(path, baud, error)) from error
    if hasattr(port, "set_low_latency_mode"):
        with contextlib.suppress(ValueError, OSError):  # USB adapters have it; ptys and CDC devices do not
            port.set_low_latency_mode(True)
    return port


def port_list() -> str:
    """Name the ports that exist, for an error message."""
    ports = sorted(list_ports.comports())
    if not ports:
        return "This machine has no serial port now; is the device plugged in, and the cable one with data?"
    names = ", ".join(f"{p.device} ({p.description})" if p.description != "n/a" else p.device for p in ports)
    return f"Ports that exist: {names}."


def explain(path: str, baud: int, error: Exception) -> str:
    """Say in plain words why a port cannot be opened, and what to do.

    Args:
        path: The port.
        baud: Bits per second that were asked for.
        error: What pyserial or the system raised.

    Returns:
        A sentence or two.
    """
    number = error.errno if isinstance(error, OSError) else None
    text = str(error)  # on Windows pyserial passes the system's error only as text
    if isinstance(error, ValueError):
        return f"{path} cannot run at {baud} baud ({text}); choose another ?baud="
    if number == errno.ENOENT or "FileNotFoundError" in text:
        return f"there is no port {path}. {port_list()}"
    if number in (errno.EBUSY, errno.EAGAIN) or "PermissionError" in text:
        return (
            f"{path} is in use by another program; close it (a serial monitor, another img2imu) and try again"
        )
    if number in (errno.EACCES, errno.EPERM):
        hint = (
            "; on Linux add yourself to the port's group, usually: sudo usermod -aG dialout $USER, "
            "then log in again"
            if sys.platform.startswith("linux")
            else ""
        )
        return f"no permission to open {path}{hint}"
    if "configure port" in text or number in (errno.EISDIR, errno.ENOTTY):
        return f"{path} is not a serial port. {port_list()}"
    return f"{path} cannot be opened: {text}. {port_list()}"


def close_port(port: Any) -> None:
    """Close a port without waiting for a hung device to take what was written."""
    # What is gone cannot be flushed; pyserial passes on termios.error, which is no OSError.
    with contextlib.suppress(Exception):
        port.reset_output_buffer()
    with contextlib.suppress(OSError):
        port.close()

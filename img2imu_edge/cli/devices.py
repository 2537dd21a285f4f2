"""`img2imu devices`: what is plugged in or within radio reach."""

from __future__ import annotations

import asyncio
import json as jsonlib
from dataclasses import asdict, dataclass
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from img2imu_edge.cli.options import JsonFlag


@dataclass(frozen=True, slots=True)
class Device:
    """Something that may be a source.

    Attributes:
        url: What `img2imu run` takes; empty for a Bluetooth device, which has no source yet.
        name: Its name.
        detail: Hardware description, or address and signal strength.
    """

    url: str
    name: str
    detail: str


def devices(
    seconds: Annotated[
        float, typer.Option(help="How long to listen for Bluetooth devices; 0 for not.")
    ] = 5.0,
    json: JsonFlag = False,
) -> None:
    """List serial ports and Bluetooth devices nearby.

    Example: img2imu devices --seconds 10
    """
    found = serial_ports()
    notes = []
    if seconds > 0:
        nearby, problem = asyncio.run(bluetooth_devices(seconds))
        found += nearby
        notes = [problem] if problem else []
    if json:
        for device in found:
            typer.echo(jsonlib.dumps(asdict(device)))
        return
    console = Console()
    table = Table(box=None, title=f"{len(found)} devices" if found else "no devices found")
    for heading in ("source", "name", "detail") if found else ():
        table.add_column(heading)
    for device in found:
        table.add_row(device.url or "(Bluetooth)", device.name, device.detail)
    console.print(table)
    for note in notes:
        console.print(note, style="yellow")
    console.print("No hardware at hand? Try: img2imu demo", style="dim")


def serial_ports() -> list[Device]:
    """Every serial port that the system knows, with its URL."""
    from serial.tools.list_ports import comports

    return [Device(f"serial://{port.device}", port.description, port.hwid) for port in sorted(comports())]


async def bluetooth_devices(seconds: float) -> tuple[list[Device], str]:
    """Bluetooth LE devices that advertise within some seconds, strongest first, and what went wrong."""
    from bleak import BleakScanner
    from bleak.exc import BleakError

    try:
        found = await BleakScanner.discover(timeout=seconds, return_adv=True)
    except (BleakError, OSError) as error:  # without D-Bus, bleak raises a bare FileNotFoundError
        reason = str(error) or type(error).__name__
        return (
            [],
            f"no Bluetooth here ({reason}); is there an adapter, and does bluetoothd run?",
        )
    ranked = sorted(found.values(), key=lambda pair: -pair[1].rssi)
    return [Device("", d.name or "(no name)", f"{d.address}, {a.rssi} dBm") for d, a in ranked], ""

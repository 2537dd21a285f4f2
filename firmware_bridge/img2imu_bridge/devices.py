"""`img2imu devices`: what is plugged in or within radio reach, and what could be."""

from __future__ import annotations

import asyncio
import json as jsonlib
from dataclasses import asdict, dataclass
from typing import Annotated
from urllib.parse import quote

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from img2imu_edge.cli.options import JsonFlag
from img2imu_edge.errors import SourceError


@dataclass(frozen=True, slots=True)
class Found:
    """Something that may be a source.

    Attributes:
        url: What `img2imu run` takes.
        name: Its name.
        profile: What understands it; empty if its advertisement does not tell.
        rssi: Signal strength in dBm; None for a serial port.
        detail: The hardware, or the address.
    """

    url: str
    name: str
    profile: str
    rssi: int | None
    detail: str


def devices(
    seconds: Annotated[
        float, typer.Option(help="How long to listen for Bluetooth devices; 0 for not.")
    ] = 5.0,
    everyone: Annotated[
        bool, typer.Option("--all", help="Also Bluetooth devices that no profile recognises.")
    ] = False,
    profiles: Annotated[
        bool, typer.Option("--profiles", help="List the kinds of device that are understood, and stop.")
    ] = False,
    json: JsonFlag = False,
) -> None:
    """List serial ports and Bluetooth devices nearby, or all kinds of device that are understood.

    Examples:
      img2imu devices --seconds 10 --all

      img2imu devices --profiles
    """
    if profiles:
        _list_profiles(json)
        return
    found, hidden, problem = serial_ports(), 0, ""
    if seconds > 0:
        try:
            nearby = asyncio.run(bluetooth_devices(seconds))
        except SourceError as error:
            problem = f"no Bluetooth: {error}"
        else:
            known = [device for device in nearby if device.profile or everyone]
            found, hidden = found + known, len(nearby) - len(known)
    if json:
        for device in found:
            typer.echo(jsonlib.dumps(asdict(device), ensure_ascii=False))
        return
    _show(found, hidden, problem)


def serial_ports() -> list[Found]:
    """Every serial port that the system knows."""
    from serial.tools.list_ports import comports

    return [
        Found(f"serial://{port.device}", port.description, "", None, port.hwid) for port in sorted(comports())
    ]


async def bluetooth_devices(seconds: float) -> list[Found]:
    """Bluetooth LE devices that advertise within some seconds, strongest first.

    Raises:
        ConnectError: If there is no Bluetooth here; the message says what to do.
    """
    from img2imu_bridge.ble.scan import NORDIC_UART_SERVICE, nearby
    from img2imu_bridge.profiles.registry import recognise
    from img2imu_bridge.sources.ble import WIRE

    found = []
    for _, said in await nearby(seconds):
        profile = recognise(said)
        name = profile.name if profile else WIRE if NORDIC_UART_SERVICE in said.services else ""
        found.append(
            Found(f"ble://{quote(said.address, safe=':')}", said.name, name, said.rssi, said.address)
        )
    return found


def _show(found: list[Found], hidden: int, problem: str) -> None:
    console = Console()
    title = f"{len(found)} device{'s' if len(found) != 1 else ''}" if found else "no devices found"
    table = Table(box=None, title=title)
    for heading in ("source", "name", "profile", "signal", "detail") if found else ():
        table.add_column(heading, overflow="fold" if heading == "source" else "ellipsis")
    for device in found:
        signal = "" if device.rssi is None else f"{device.rssi} dBm"
        table.add_row(
            device.url, Text(device.name or "(no name)"), device.profile, signal, Text(device.detail)
        )
    console.print(table)
    if hidden:
        console.print(
            f"{hidden} more Bluetooth devices that no profile recognises; --all shows them", style="dim"
        )
    if problem:
        console.print(problem, style="yellow", markup=False)
    console.print("No hardware at hand? Try: img2imu demo", style="dim")


def _list_profiles(json: bool) -> None:
    from img2imu_bridge.profiles.registry import profiles

    known = sorted(profiles().values(), key=lambda profile: (profile.carrier, profile.name))
    if json:
        for profile in known:
            about = {name: getattr(profile, name) for name in ("name", "title", "carrier", "checked")}
            typer.echo(jsonlib.dumps(about, ensure_ascii=False))
        return
    table = Table(box=None, title="Kinds of device")
    for heading in ("profile", "device", "over", "known from"):
        table.add_column(heading)
    table.add_row("img2imu", "any that speaks the img2imu wire protocol", "ble, serial", "this project's own")
    for profile in known:
        table.add_row(profile.name, profile.title, profile.carrier, profile.checked)
    console = Console()
    console.print(table)
    console.print(
        "Yours is missing? A TOML file makes it known: see docs/devices.md", style="dim", markup=False
    )

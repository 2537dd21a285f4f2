"""What goes wrong over BLE: by its kind, with advice for people and a pause before the next try."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass

from bleak.exc import (
    BleakBluetoothNotAvailableError,
    BleakCharacteristicNotFoundError,
    BleakDBusError,
    BleakDeviceNotFoundError,
    BleakError,
)

from img2imu_bridge.transport import ConnectError

FAILURES = (BleakError, OSError, EOFError, asyncio.TimeoutError, AssertionError)
"""All that bleak's backends raise for reasons of the radio, the daemon or the bus.

AssertionError: its BlueZ backend asserts that its bus is there, and it is not once bluetoothd has died.
"""


@dataclass(frozen=True, slots=True)
class Trouble:
    """A kind of failure.

    Attributes:
        signs: What its message looks like.
        pause: Seconds to wait before the next try: the radio's own hiccups pass at once, a daemon that starts
            takes seconds.
        advice: What to do, for people.
    """

    signs: str
    pause: float
    advice: str


_TROUBLES = (
    Trouble(
        "AuthenticationFailed|AuthenticationRejected|AuthenticationCanceled|key-missing|PIN or Key",
        5.0,
        "the device and this computer disagree about their bond; remove it on both sides and pair again: "
        "bluetoothctl remove ADDRESS, then bluetoothctl pair ADDRESS",
    ),
    Trouble(
        "NotPermitted|NotAuthorized|Insufficient (Auth|Encr)|Not paired",
        5.0,
        "the device wants to be paired first: bluetoothctl pair ADDRESS",
    ),
    Trouble(
        "NotReady|POWERED_OFF|powered off|No powered",
        5.0,
        "the Bluetooth adapter is off: bluetoothctl power on; if it is blocked: rfkill unblock bluetooth",
    ),
    Trouble(
        "No Bluetooth adapters|NO_BLUETOOTH|adapter .*not found",
        5.0,
        "there is no Bluetooth adapter; plug one in, or see what the system says: bluetoothctl list",
    ),
    Trouble(
        "ServiceUnknown|NameHasNoOwner|NoReply|Disconnected\\b.*bus|not connected to the bus",
        5.0,
        "the system's Bluetooth service does not answer: sudo systemctl restart bluetooth",
    ),
    Trouble(
        "UnknownObject|UnknownMethod|doesn't exist",
        1.0,
        "the system's Bluetooth service was restarted, or the adapter pulled, meanwhile; try again",
    ),
    Trouble("InProgress|in progress", 1.0, "the adapter is busy with another connection; try again"),
    Trouble(
        "le-connection-(abort|timeout|refused|unknown)|ConnectionAttemptFailed|Software caused",
        0.5,
        "the radio link broke while it was made, as it does now and then; go nearer if it keeps doing so",
    ),
    Trouble(
        "DENIED|denied|not authorized|AccessDenied",
        5.0,
        "this user may not use Bluetooth; on Linux: sudo usermod -aG bluetooth $USER, then log in again; on "
        "macOS: System Settings, Privacy, Bluetooth",
    ),
)

_OTHER = Trouble("", 1.0, "try again; if it stays, switch the device off and on")
_NO_BUS = Trouble(
    "", 5.0, "there is no Bluetooth service (D-Bus) on this system; on Debian: sudo apt install bluez"
)
_GONE = Trouble(
    "", 1.0, "it is out of reach, off, or connected to another host; img2imu devices shows who is"
)
_SILENT = Trouble("", 1.0, "it did not answer in time; is it on, near, and not connected to a phone?")


def explain(error: BaseException, address: str) -> ConnectError:
    """An error of bleak as one of ours, with advice.

    Args:
        error: One of `FAILURES`.
        address: The device, for the advice.
    """
    text = " ".join(filter(None, [type(error).__name__, *_words(error)]))
    trouble = next((kind for kind in _TROUBLES if re.search(kind.signs, text)), _OTHER)
    if isinstance(error, asyncio.TimeoutError):
        trouble = _SILENT
    elif isinstance(error, BleakDeviceNotFoundError):
        trouble = _GONE
    elif isinstance(error, FileNotFoundError | ConnectionRefusedError):
        return ConnectError(_NO_BUS.advice, _NO_BUS.pause)
    what = _words(error)[-1] if _words(error) else type(error).__name__
    return ConnectError(f"{what}; {trouble.advice.replace('ADDRESS', address)}", trouble.pause)


def _words(error: BaseException) -> list[str]:
    if isinstance(error, BleakDBusError):
        return [error.dbus_error, error.dbus_error_details or error.dbus_error.rsplit(".", 1)[-1]]
    if isinstance(error, BleakBluetoothNotAvailableError):
        return [error.reason.name, str(error.args[0])]
    return [str(error).strip()] if str(error).strip() else []


def is_stale(error: BaseException) -> bool:
    """Whether it may come from a cache of the services that the device had before its firmware changed."""
    return isinstance(error, BleakCharacteristicNotFoundError)

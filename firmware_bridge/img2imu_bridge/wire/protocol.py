"""The protocol's numbers: version, type bytes, limits. The prose is in firmware_bridge/PROTOCOL.md."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

VERSION: Final = 1
"""High nibble of every message's first byte."""

MAX_MESSAGE: Final = 512
"""Longest message in bytes: the longest BLE attribute value, and 42 samples of 6 axes to the byte."""

MIN_MESSAGE: Final = 20
"""Bytes that every transport carries in one message: a notification at the smallest MTU, 23."""

MAX_NAME: Final = 32
"""Longest device name in bytes of UTF-8."""

DATA_HEADER: Final = 8
"""Bytes of a DATA message before its samples."""


class MessageType(IntEnum):
    """First byte of what a device sends."""

    INFO = 0x11
    DATA = 0x12
    STATUS = 0x13


class Request(IntEnum):
    """First byte of what a host sends."""

    GET_INFO = 0x18
    START = 0x19
    STOP = 0x1A
    SET_RATE = 0x1B


class StatusCode(IntEnum):
    """A device's answer to a request. Receivers treat codes they do not know as failures."""

    OK = 0
    UNKNOWN_REQUEST = 1
    BAD_ARGUMENT = 2
    BUSY = 3


class MessageError(ValueError):
    """A message is malformed, or not one that this version knows; count it and carry on."""


class VersionError(MessageError):
    """A message speaks another version of the protocol."""

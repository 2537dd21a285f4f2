"""Rehearsal: a device in memory that answers from a script, so that a decoder can be started without one."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from img2imu_edge.errors import SourceError


class Said(NamedTuple):
    """A value that a characteristic notified."""

    characteristic: str
    value: bytes


@dataclass(frozen=True, slots=True)
class Script:
    """How a device of another maker behaves.

    Attributes:
        profile: What understands it.
        name: What it calls itself in the air.
        services: UUIDs of its services, as it advertises them.
        commands: Characteristics that can be written.
        reads: Values by characteristic.
        answers: What it notifies once something was written, by characteristic and bytes.
        unasked: What it says on its own, before anybody wrote anything.
        packets: Packets of motion, once it is started.
    """

    profile: str
    name: str
    services: tuple[str, ...]
    commands: tuple[str, ...]
    packets: tuple[Said, ...]
    reads: Mapping[str, bytes] = field(default_factory=dict)
    answers: Mapping[tuple[str, bytes], Sequence[Said]] = field(default_factory=dict)
    unasked: Sequence[Said] = ()


class Rehearsal:
    """A device that plays a script; see `Device`.

    Args:
        script: The script.

    Attributes:
        written: What was written, in order.
        subscribed: What was subscribed to, in order.
    """

    def __init__(self, script: Script) -> None:
        self._script = script
        self.written: list[Said] = []
        self.subscribed: list[str] = []
        self._waiting = deque(script.unasked)

    async def read(self, characteristic: str) -> bytes:
        """Read a value."""
        if characteristic not in self._script.reads:
            raise SourceError(f"the device has no {characteristic}")
        return self._script.reads[characteristic]

    async def write(self, characteristic: str, value: bytes, *, response: bool = True) -> None:
        """Write a value, which may be answered."""
        self.written.append(Said(characteristic, value))
        self._waiting.extend(self._script.answers.get((characteristic, value), ()))

    async def subscribe(self, characteristic: str) -> None:
        """Have values sent."""
        self.subscribed.append(characteristic)

    async def answer(self, characteristic: str, seconds: float) -> bytes:
        """The next value of a characteristic; it is there already, or never comes."""
        for said in self._waiting:
            if said.characteristic == characteristic:
                self._waiting.remove(said)
                return said.value
        raise SourceError(f"nothing came on {characteristic} within {seconds:g} s")

"""Rehearsal: a device in memory that answers from a script, so that a profile can be tried without one."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from img2imu_bridge.profiles import Decoder, Profile, Wishes
from img2imu_bridge.profiles.tabled import TableProfile
from img2imu_bridge.profiles.template import uuid
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


def script_of(profile: TableProfile) -> Script:
    """A device that a table describes, with packets of zeros."""
    table = profile.table
    choices = [s.choice for t in table.stream.values() for s in t.scales.values() if s.choice]
    last = max((choice.byte for choice in choices), default=0)
    return Script(
        profile=profile.name,
        name=table.recognise.names[0].replace("*", "1") if table.recognise.names else "",
        services=tuple(map(uuid, table.recognise.services)),
        commands=tuple({uuid(command.write) for command in (*table.start, *table.stop)}),
        reads={uuid(choice.read): bytes(last + 1) for choice in choices},
        packets=tuple(
            Said(uuid(stream.characteristic), profile.layouts[name].blank())
            for name, stream in table.stream.items()
        ),
    )


def rehearse(
    profile: Profile, script: Script | None = None, wishes: Wishes | None = None
) -> tuple[Decoder, Rehearsal]:
    """Start a decoder with a device that plays a script.

    Args:
        profile: The profile.
        script: What the device says; a table needs none.
        wishes: What the user asked for.

    Returns:
        The decoder, ready for packets, and the device, which knows what was written to it.

    Raises:
        SourceError: If the profile does not get along with the device.
        ValueError: If there is no script for a profile in code.
    """
    if script is None:
        if not isinstance(profile, TableProfile):
            raise ValueError(f"{profile.name} is a profile in code: say what its device answers, in a script")
        script = script_of(profile)
    decoder, device = profile.decoder(), Rehearsal(script)
    asyncio.run(decoder.start(device, wishes or Wishes()))
    return decoder, device

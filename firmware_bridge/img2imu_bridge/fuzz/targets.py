"""What is fuzzed: the decoders of all profiles, and those of our own wire protocol."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

import numpy as np

from img2imu_bridge.fuzz.mutate import mutate
from img2imu_bridge.fuzz.scripts import SCRIPTS
from img2imu_bridge.profiles import PacketError, Profile
from img2imu_bridge.profiles.registry import profiles
from img2imu_bridge.profiles.rehearsal import Said, Script, rehearse, script_of
from img2imu_bridge.profiles.tabled import TableProfile
from img2imu_bridge.wire.framing import FrameReader, encode_frame
from img2imu_bridge.wire.messages import (
    Control,
    Info,
    Kind,
    MessageError,
    Request,
    SensorInfo,
    Status,
    decode,
    encode_control,
    encode_data,
    encode_info,
    encode_status,
)

MOST_SAMPLES: Final = 2048
"""Samples that one packet may turn into."""

_PATIENCE: Final = 8


class Target(NamedTuple):
    """Something that reads bytes.

    Attributes:
        name: Its name.
        feed: Takes a characteristic and bytes; returns the samples, or messages, that it understood.
        seeds: What it understands.
        refused: The only error that bytes may lead to.
    """

    name: str
    feed: Callable[[str, bytes], int]
    seeds: tuple[Said, ...]
    refused: type[Exception]

    def harm(self, rng: random.Random) -> bool:
        """Feed it something bad; returns whether it was refused. Any other error passes through."""
        characteristic = rng.choice(self.seeds).characteristic
        values = [seed.value for seed in self.seeds if seed.characteristic == characteristic]
        try:
            self.feed(characteristic, mutate(rng, values))
        except self.refused:
            return True
        return False

    def settle(self) -> None:
        """Feed it good packets until it understands them all, as it must after a few.

        Raises:
            AssertionError: If bad bytes have spoilt it for good.
        """
        for _ in range(_PATIENCE):
            try:
                for seed in self.seeds * 2:
                    self.feed(*seed)
            except self.refused:
                continue
            return
        raise AssertionError(f"{self.name} refuses good packets after bad ones")


def all_targets() -> Iterator[Target]:
    """Everything that reads what devices send, started and ready."""
    known = profiles()
    for name, script in SCRIPTS.items():
        yield profile_target(name, known[script.profile], script)
    for profile in known.values():
        if isinstance(profile, TableProfile):
            yield profile_target(profile.name, profile, script_of(profile))
    yield _frames()
    yield _messages()


def profile_target(name: str, profile: Profile, script: Script) -> Target:
    """The decoder of a profile."""
    decoder, _ = rehearse(profile, script)

    def feed(characteristic: str, value: bytes) -> int:
        samples = 0
        for packet in decoder.decode(characteristic, value):
            # Half a sample may be missing on a serial port, which is NaN.
            wrong = np.isinf(packet.values) if profile.carrier == "serial" else ~np.isfinite(packet.values)
            if wrong.any() or packet.values.dtype != np.float32:
                raise AssertionError(f"{name} made values of {value.hex()} that are none")
            samples += len(packet.values)
        if samples > MOST_SAMPLES:
            raise AssertionError(f"{name} made {samples} samples of {len(value)} bytes")
        return samples

    return Target(name, feed, script.packets, PacketError)


def _wire() -> list[bytes]:
    info = Info("fuzz", (SensorInfo(Kind.ACC, 1, 400), SensorInfo(Kind.GYR, 1, 1000)), 50.0, 1_000_000)
    counts = np.arange(60, dtype=np.int16).reshape(10, 6)
    return [
        encode_data(7, 140_000, counts),
        *encode_info(info, 64),
        encode_status(Status(Request.START, 1, 0)),
        encode_control(Control(Request.SET_RATE, 2, 50.0)),
    ]


def _frames() -> Target:
    reader = FrameReader()

    def feed(_: str, value: bytes) -> int:
        return len(reader.push(value))

    return Target("wire frames", feed, tuple(Said("", encode_frame(m)) for m in _wire()), MessageError)


def _messages() -> Target:
    def feed(_: str, value: bytes) -> int:
        decode(value)
        return 1

    return Target("wire messages", feed, tuple(Said("", message) for message in _wire()), MessageError)

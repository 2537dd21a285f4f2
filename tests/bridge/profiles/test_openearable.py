"""OpenEarable 2 describes its sensors, and sends what it described."""

from __future__ import annotations

import asyncio
import struct
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from img2imu_bridge.fuzz.scripts import OPENEARABLE
from img2imu_bridge.profiles import PacketError, Wishes
from img2imu_bridge.profiles.openearable import CONFIG, DATA, PROFILE, REQUEST, SCHEME, SENSORS
from img2imu_bridge.profiles.openearable_scheme import read_scheme
from img2imu_bridge.profiles.rehearsal import Rehearsal, rehearse
from numpy.testing import assert_allclose

from img2imu_edge.errors import SourceError

IMU = OPENEARABLE.reads[SCHEME]


def describe(number: int, components: list[tuple[int, str, str, str]], options: bytes = b"\x01") -> bytes:
    """A sensor's description."""
    text = bytes((number, 1)) + b"S" + bytes((len(components),))
    for kind, *words in components:
        text += bytes((kind,)) + b"".join(bytes((len(w.encode()),)) + w.encode() for w in words)
    return text + options


def test_the_description_of_its_imu() -> None:
    scheme = read_scheme(IMU)
    assert (scheme.id, scheme.name, scheme.kind.itemsize) == (0, "9-Axis IMU", 36)
    assert scheme.rates == (25, 50, 100)  # what is faster goes to its memory card only
    assert scheme.units == dict.fromkeys(("acc_x", "acc_y", "acc_z"), "m/s^2") | dict.fromkeys(
        ("gyr_x", "gyr_y", "gyr_z"), "dps"
    )


def test_one_sample_and_two() -> None:
    decoder, device = rehearse(PROFILE, OPENEARABLE)
    (one,) = decoder.decode(*OPENEARABLE.packets[0])
    (two,) = decoder.decode(*OPENEARABLE.packets[1])
    assert_allclose(one.values, [[0.5, -1, 9.81, *np.radians([10, 20, -30])]], rtol=1e-6)
    assert_allclose(two.values, [[0, 1, 2, *np.radians([3, 4, 5])], [9, 10, 11, *np.radians([12, 13, 14])]])
    assert (one.ticks, two.ticks) == (5_000_000, 5_020_000)
    assert device.written == [(REQUEST, b"\0"), (CONFIG, b"\x00\x01\x01")]
    assert device.subscribed == [DATA]


@pytest.mark.parametrize(("wanted", "index"), [(25, 0), (60, 2), (1000, 2)])
def test_the_rate_is_told_by_its_index(wanted: float, index: int) -> None:
    _, device = rehearse(PROFILE, OPENEARABLE, Wishes(wanted))
    assert device.written[-1] == (CONFIG, bytes((0, index, 1)))


def test_the_sensor_with_both_is_looked_for() -> None:
    bone = describe(7, [(2, "ACCELEROMETER", axis, "g") for axis in "XYZ"])

    class Earable(Rehearsal):
        async def read(self, characteristic: str) -> bytes:
            if characteristic != SCHEME:
                return bytes((2, 7, 0))
            return {7: bone, 0: IMU}[self.written[-1].value[0]]

    earable, decoder = Earable(OPENEARABLE), PROFILE.decoder()
    (stream,) = asyncio.run(decoder.start(earable, Wishes(gyroscope=False)))
    assert stream.channels == ("acc_x", "acc_y", "acc_z")
    assert [said.value for said in earable.written] == [b"\x07", b"\x00", b"\x00\x01\x01"]


def test_types_and_units_are_those_described() -> None:
    components = [(2, "ACC", "x", "g"), (0, "TEMP", "t", "°C"), (7, "ACC", "Y", "m/s²"), (4, "ACC", "Z", "g")]
    scheme = describe(3, components, b"\x10\x01\x00\x00" + struct.pack("<f", 12.5))
    decoder, _ = rehearse(PROFILE, replace(OPENEARABLE, reads={SENSORS: b"\x01\x03", SCHEME: scheme}))
    (packet,) = decoder.decode(DATA, struct.pack("<BBQhbdi", 3, 15, 9, -2, 30, 1.5, 1))
    assert_allclose(packet.values, [[-2 * 9.80665, 1.5, 9.80665]], rtol=1e-6)


@pytest.mark.parametrize(
    ("reads", "advice"),
    [
        ({SENSORS: b"", SCHEME: IMU}, "describes no accelerometer"),
        ({SENSORS: b"\x01\x05", SCHEME: IMU}, "describes no accelerometer"),
        ({SENSORS: b"\x01\x00", SCHEME: IMU[:40]}, "cut short"),
        ({SENSORS: b"\x01\x00", SCHEME: b"\x00\x01S\x01\x09\x00\x00\x00"}, "unknown type, 9"),
        ({SENSORS: b"\x01\x00", SCHEME: describe(0, [(6, "ACC", a, "g") for a in "XYZ"])}, "has no rates"),
        (
            {SENSORS: b"\x01\x00", SCHEME: describe(0, [(6, "ACC", a, "furlong") for a in "XYZ"])},
            "furlong",
        ),
    ],
)
def test_descriptions_that_do_not_serve(reads: dict[str, bytes], advice: str) -> None:
    with pytest.raises(SourceError, match=advice):
        rehearse(PROFILE, replace(OPENEARABLE, reads=reads))


@pytest.mark.parametrize("size", [1, 9, 10, 45, 47, 50, 83])
def test_packets_of_other_lengths(size: int) -> None:
    decoder, _ = rehearse(PROFILE, OPENEARABLE)
    with pytest.raises(PacketError):
        decoder.decode(DATA, bytes(size))


@given(st.binary(max_size=300))
def test_any_description_is_understood_or_refused(data: bytes) -> None:
    try:
        scheme = read_scheme(data)
    except SourceError:
        return
    assert 0 < scheme.kind.itemsize <= 8 * 32

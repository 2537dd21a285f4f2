"""The devices that tables describe: packets by their makers' descriptions, and what is written to them."""

from __future__ import annotations

import asyncio
import struct
from typing import NamedTuple

import numpy as np
import pytest
from img2imu_bridge.profiles import Advertisement, PacketError, Stream, Wishes
from img2imu_bridge.profiles.registry import profiles, recognise
from img2imu_bridge.profiles.rehearsal import Rehearsal, script_of
from img2imu_bridge.profiles.tabled import TableDecoder, TableProfile
from numpy.testing import assert_allclose

G = 9.80665
DEGREES = np.pi / 180


class Golden(NamedTuple):
    """A packet.

    Attributes:
        profile: Whose.
        characteristic: Where it comes.
        value: Its bytes.
        samples: What it means, in SI units.
        sequence: Its number.
    """

    profile: str
    characteristic: str
    value: bytes
    samples: list[list[float]]
    sequence: int | None = None


def sig(short: str) -> str:
    return f"0000{short}-0000-1000-8000-00805f9b34fb"


GOLDEN = [
    Golden(
        "adafruit", "adaf0201-c332-42a8-93bd-25e905756cb8", struct.pack("<3f", 1, -2, 9.8), [[1, -2, 9.8]]
    ),
    Golden("adafruit", "adaf0401-c332-42a8-93bd-25e905756cb8", struct.pack("<3f", 1, -2, 3), [[1, -2, 3]]),
    Golden(
        "bluest",
        "00e00000-0001-11e1-ac36-0002a5d5c51b",
        struct.pack("<H9h", 500, 1000, -500, 0, 10, -20, 900, 1, 2, 3),
        [[G, -G / 2, 0, DEGREES, -2 * DEGREES, 90 * DEGREES]],
    ),
    Golden(  # ±250 °/s and ±2 g, which codes of 0 tell
        "esense",
        sig("ff08"),
        bytes((0x55, 200, 0, 12)) + struct.pack(">6h", 131, -262, 0, 16384, 0, -8192),
        [[DEGREES, -2 * DEGREES, 0, G, 0, -G / 2]],
        200,
    ),
    Golden(
        "infinitime",
        "00030002-78fc-48fe-8e23-433b3a1942d0",
        struct.pack("<3h", 1024, -512, 0),
        [[G, -G / 2, 0]],
    ),
    Golden(
        "muse",
        "273e000a-4c4d-454d-96be-f03bac821358",
        struct.pack(">H9h", 40000, 16384, 0, -16384, 8192, 0, 0, 0, 4096, 0),
        [[G, 0, -G], [G / 2, 0, 0], [0, G / 4, 0]],
        40000,
    ),
    Golden(
        "muse",
        "273e0009-4c4d-454d-96be-f03bac821358",
        struct.pack(">H9h", 7, 10000, 0, 0, 0, -10000, 0, 0, 0, 1),
        [[74.768 * DEGREES, 0, 0], [0, -74.768 * DEGREES, 0], [0, 0, 0.0074768 * DEGREES]],
        7,
    ),
    Golden("phyphox", "cddf1002-30f7-4671-8b43-5e40ba53514a", struct.pack("<3f", 1, 2, 3), [[1, 2, 3]]),
    Golden(
        "sensortag",
        "f000aa81-0451-4000-b000-000000000000",
        struct.pack("<9h", 131, 0, -131, 4096, 0, -2048, 1, 2, 3),
        [[DEGREES, 0, -DEGREES, G, 0, -G / 2]],
    ),
    Golden(
        "thingy52",
        "ef680406-9b35-4933-9b10-52ffa9740042",
        struct.pack("<9h", 1024, 0, -512, 32, 0, -64, 1, 2, 3),
        [[G, 0, -G / 2, DEGREES, 0, -2 * DEGREES]],
    ),
    Golden(
        "witmotion",
        "0000ffe4-0000-1000-8000-00805a9a34fb",
        b"\x55\x61" + struct.pack("<9h", 2048, 0, -1024, 16384, 0, -8192, 1, 2, 3),
        [[G, 0, -G / 2, 1000 * DEGREES, 0, -500 * DEGREES]],
    ),
    Golden(  # several in one notification
        "witmotion",
        "0000ffe4-0000-1000-8000-00805a9a34fb",
        (b"\x55\x61" + struct.pack("<9h", 2048, *[0] * 8)) * 3,
        [[G, 0, 0, 0, 0, 0]] * 3,
    ),
]


def begin(name: str, wishes: Wishes | None = None) -> tuple[TableDecoder, Rehearsal, tuple[Stream, ...]]:
    profile = profiles()[name]
    assert isinstance(profile, TableProfile)
    decoder, device = profile.decoder(), Rehearsal(script_of(profile))
    streams = asyncio.run(decoder.start(device, wishes or Wishes()))
    return decoder, device, streams


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda golden: f"{golden.profile}-{golden.characteristic[:8]}")
def test_a_packet_means_what_its_maker_says(golden: Golden) -> None:
    decoder, device, streams = begin(golden.profile)
    (packet,) = decoder.decode(golden.characteristic, golden.value)
    assert_allclose(packet.values, golden.samples, rtol=1e-5, atol=1e-7)
    assert (packet.sequence, packet.ticks) == (golden.sequence, None)
    assert packet.values.shape[1] == len({s.name: s for s in streams}[packet.stream].channels)
    assert golden.characteristic in device.subscribed
    for value in (golden.value[:-1], golden.value + b"\0", b""):
        with pytest.raises(PacketError):
            decoder.decode(golden.characteristic, value)
    assert decoder.decode("elsewhere", golden.value) == []


def test_every_table_has_a_golden_packet() -> None:
    tables = {name for name, profile in profiles().items() if isinstance(profile, TableProfile)}
    assert {golden.profile for golden in GOLDEN} >= tables


@pytest.mark.parametrize(
    ("name", "rate", "told", "commands"),
    [
        ("adafruit", None, 50, ["14000000"]),
        ("adafruit", 20, 20, ["32000000"]),
        ("esense", 100, 100, ["536702 0164"]),
        ("infinitime", 50, 10, []),
        ("muse", None, 52, ["047032310a", "02640a"]),
        ("phyphox", None, 50, []),
        ("bluest", None, 20, []),
        ("sensortag", None, 10, ["0a", "7f02"]),
        ("sensortag", 2, 2, ["32", "7f02"]),
        ("thingy52", None, 50, ["f401f401f401320001"]),
        ("thingy52", 150, 200, ["f401f401f401c80001"]),
        ("witmotion", None, 50, ["ffaa6988b5", "ffaa030800"]),
        ("witmotion", 200, 200, ["ffaa6988b5", "ffaa030b00"]),
    ],
)
def test_what_gets_a_device_going(name: str, rate: float | None, told: float, commands: list[str]) -> None:
    _, device, streams = begin(name, Wishes(rate))
    assert streams[0].rate == told
    assert [said.value.hex() for said in device.written] == [c.replace(" ", "") for c in commands]


@pytest.mark.parametrize(
    ("name", "commands"),
    [("esense", ["5334020032"]), ("muse", ["02680a"]), ("sensortag", ["0000"]), ("thingy52", [])],
)
def test_what_has_it_stop(name: str, commands: list[str]) -> None:
    decoder, device, _ = begin(name)
    device.written.clear()
    asyncio.run(decoder.stop(device))
    assert [said.value.hex() for said in device.written] == commands


def test_a_stream_of_its_own_for_the_gyroscope_is_left_out_if_not_wanted() -> None:
    decoder, device, streams = begin("muse", Wishes(gyroscope=False))
    assert [stream.name for stream in streams] == ["acc"]
    assert device.subscribed == ["273e000a-4c4d-454d-96be-f03bac821358"]
    assert decoder.decode("273e0009-4c4d-454d-96be-f03bac821358", b"") == []


@pytest.mark.parametrize(
    ("name", "services", "profile"),
    [
        ("InfiniTime", (), "infinitime"),
        ("", ("00030000-78fc-48fe-8e23-433b3a1942d0",), "infinitime"),
        ("Polar H10 1234ABCD", (), "polar"),
        ("Polar Sense 1234ABCD", (), "polar"),
        ("Movesense 210330000123", (), "movesense"),
        ("OpenEarable-8FA3", (), "openearable"),
        ("MetaWear", (), "metamotion"),
        ("Movella DOT", (), "xsens_dot"),
        ("CC2650 SensorTag", (), "sensortag"),
        ("Muse-1A2B", (), "muse"),
        ("WT901BLE68", (), "witmotion"),
        ("Thingy", (), "thingy52"),
        ("eSense-0042", (), "esense"),
        ("SensorTag", (), None),
        ("Polar Pacer 1234ABCD", (), None),
        ("Kettle", (sig("180f"),), None),
        ("", (), None),
    ],
)
def test_who_is_recognised(name: str, services: tuple[str, ...], profile: str | None) -> None:
    found = recognise(Advertisement("", name, services=frozenset(services)))
    assert (found.name if found else None) == profile


def test_no_advertisement_is_claimed_twice() -> None:
    known = [p for p in profiles().values() if p.carrier == "ble"]
    for golden in {g.profile for g in GOLDEN}:
        profile = profiles()[golden]
        assert isinstance(profile, TableProfile)
        script = script_of(profile)
        said = Advertisement("", script.name, services=frozenset(script.services))
        assert [p.name for p in known if p.recognises(said)] == [golden]

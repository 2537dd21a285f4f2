"""MetaMotion boards: packets of the maker's own tests, and the registers of both chips."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from img2imu_bridge.fuzz.scripts import METAMOTION_R, METAMOTION_S
from img2imu_bridge.profiles import PacketError, Wishes
from img2imu_bridge.profiles.metamotion import COMMAND, NOTIFY, PROFILE
from img2imu_bridge.profiles.rehearsal import Said, Script, rehearse
from numpy.testing import assert_allclose

from img2imu_edge.errors import SourceError

ACC = [[-4.539, 0.833, -0.131], [-2.995, 0.894, 0.146], [-0.029, 0.352, 0.065]]
"""In g, rounded, at ±8 g, which is ours too."""
GYR = [[164.177, 301.860, -265.122], [207.134, 296.982, -215.457], [254.055, 309.634, -152.591]]
"""In °/s, at ±1000 °/s: half of what the same counts are at ours, ±2000 °/s."""


@pytest.mark.parametrize("script", [METAMOTION_R, METAMOTION_S])
def test_packets_of_three_samples(script: Script) -> None:
    decoder, _ = rehearse(PROFILE, script)
    (acc,) = decoder.decode(*script.packets[0])
    (gyr,) = decoder.decode(*script.packets[1])
    assert_allclose(acc.values, np.array(ACC) * 9.80665, atol=0.0005 * 9.81)
    assert_allclose(gyr.values, np.radians(np.array(GYR) * 2), atol=np.radians(0.001))
    assert (acc.stream, gyr.stream, acc.ticks, acc.sequence) == ("acc", "gyr", None, None)


@pytest.mark.parametrize(
    ("script", "commands"),
    [
        (
            METAMOTION_R,
            "0380 03032708 031c01 03020100 1380 13032700 130701 13020100 030101 130101",
        ),
        (
            METAMOTION_S,
            "0380 0303a702 030501 03020100 1380 13032700 130501 13020100 030101 130101",
        ),
    ],
)
def test_commands_by_the_chip(script: Script, commands: str) -> None:
    _, device = rehearse(PROFILE, script)
    assert " ".join(said.value.hex() for said in device.written) == commands
    assert {said.characteristic for said in device.written} == {COMMAND}


def test_a_faster_rate_without_gyroscope() -> None:
    _, device = rehearse(PROFILE, METAMOTION_S, Wishes(150, gyroscope=False))
    assert [said.value.hex() for said in device.written] == [
        "0380",
        "0303a902",
        "030501",
        "03020100",
        "030101",
    ]


def changed(asked: str, told: str) -> Script:
    key = (COMMAND, bytes.fromhex(asked))
    return replace(METAMOTION_R, answers={**METAMOTION_R.answers, key: (Said(NOTIFY, bytes.fromhex(told)),)})


def test_a_board_without_gyroscope() -> None:
    decoder, device = rehearse(PROFILE, changed("1380", "1380"))
    assert device.written[-1].value.hex() == "030101"
    assert decoder.decode(*METAMOTION_R.packets[1]) == []


@pytest.mark.parametrize(
    ("told", "advice"),
    [("0380", "no accelerometer"), ("03800001", "neither a BMI160"), ("03800100", "does not pack")],
)
def test_boards_that_do_not_serve(told: str, advice: str) -> None:
    with pytest.raises(SourceError, match=advice):
        rehearse(PROFILE, changed("0380", told))


def test_other_lengths_and_other_registers() -> None:
    decoder, _ = rehearse(PROFILE, METAMOTION_R)
    with pytest.raises(PacketError):
        decoder.decode(NOTIFY, bytes.fromhex("031c0001"))
    assert decoder.decode(NOTIFY, bytes.fromhex("0304000000000000")) == []
    assert decoder.decode(NOTIFY, b"") == []

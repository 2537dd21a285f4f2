"""Polar's frames and control point. The frames are those of the maker's own tests, some cut short."""

from __future__ import annotations

import asyncio
import struct
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from img2imu_bridge.fuzz.scripts import POLAR_H10, POLAR_SENSE
from img2imu_bridge.profiles import PacketError, Wishes
from img2imu_bridge.profiles.polar import CONTROL, DATA, PROFILE, parse_settings
from img2imu_bridge.profiles.polar_frames import ACC, GYRO, read_frame
from img2imu_bridge.profiles.rehearsal import Rehearsal, Said, rehearse
from numpy.testing import assert_allclose, assert_array_equal

from img2imu_edge.errors import SourceError

MG = 9.80665 / 1000
LONG = bytes.fromhex(
    "0200943577000000008071 07f06a9e8d 0a38 be5cbeba2f96b3ee4be5adfb42b9ebbe4cfeba2f92bfee4be4b1fb12b9ecbd3c"
    "3ebb2f8fd3de4be3b5f7d2b8edbd307e7b2f8be3ce8be2baf7a2b8eebc20be7b2f88f3cecbe1bdef52f8efbc18fe3b2f8403bfcb"
    "e0c2ef32b8f0bb044ebc2e8113af0be0c6eff2f7f1b9fc7dbc2e7d279f4bdfcaebc2f7f2b8eccd7c2e7b378f4bdecee392f7f3b8"
    "e00dfd2d774b7fcbddd2df6237f5b7d44dbd2d745b6fcbdcd7d73237f6b5c88d7d2d716b4f4bdcdcd3f236f7b4bcddfd2c6f7b3f"
    "4bdbe0cfd236f8b2b02dbe2c6c8f1fcbdae3c7a276f9"
)
"""56 differences of 10 bits."""


def test_a_raw_frame_of_an_h10() -> None:
    decoder, device = rehearse(PROFILE, POLAR_H10)
    (packet,) = decoder.decode(*POLAR_H10.packets[0])
    assert_allclose(packet.values, np.array([[-9, -1, 999], [-8, -2, 997], [-7, -1, 997]]) * MG, rtol=1e-6)
    assert (packet.stream, packet.sequence, packet.ticks) == ("acc", None, 2_000_000_000)
    assert device.subscribed == [CONTROL, DATA]


def test_what_is_written_to_an_h10() -> None:
    _, device = rehearse(PROFILE, POLAR_H10)
    assert [said.value.hex() for said in device.written] == [
        "0102",
        "0202000132000101100002010800",
    ]
    assert {said.characteristic for said in device.written} == {CONTROL}


def test_an_h10_streams_acceleration_at_the_rate_that_is_wanted() -> None:
    asked = bytes.fromhex("02020001c8000101100002010800")
    answers = {**POLAR_H10.answers, (CONTROL, asked): (Said(CONTROL, bytes.fromhex("f002020000")),)}
    decoder = PROFILE.decoder()
    script = replace(POLAR_H10, answers=answers)
    _, device = rehearse(PROFILE, script, Wishes(rate=120))
    assert device.written[-1].value == asked
    assert decoder.decode(DATA, POLAR_H10.packets[0].value) == []  # it was never started


def test_frames_of_differences_and_a_clock_for_both_sensors() -> None:
    decoder, device = rehearse(PROFILE, POLAR_SENSE)
    (acc,) = decoder.decode(*POLAR_SENSE.packets[0])
    (gyr,) = decoder.decode(*POLAR_SENSE.packets[1])
    assert_allclose(acc.values, np.array([[-15, 20, 1008], [-20, 17, 1008]]) * MG, rtol=1e-6)
    assert_allclose(gyr.values, np.radians(np.array([[-22, 8, 13], [-23, 11, 16]]) / 16.4), rtol=1e-6)
    assert (acc.stream, acc.ticks, gyr.stream, gyr.ticks) == ("acc", 0x65, "gyr", 0x66)
    assert [said.value.hex() for said in device.written] == [
        "0102", "0202000134000101100002010800040103",
        "0105", "020500013400010110000201d007040103",
    ]  # fmt: skip


def test_many_differences_of_ten_bits() -> None:
    frame = read_frame(LONG)
    assert (frame.measurement, frame.form, frame.ticks) == (ACC, 0x80, 2_000_000_000)
    assert frame.counts.shape == (57, 3)
    assert_array_equal(frame.counts[0], [1905, 27376, -29282])
    assert_array_equal(frame.counts[1], [1905 + 190, 27376 - 105, -29282 - 85])


def test_the_factor_is_in_g_where_the_frame_says_so() -> None:
    begin = next(key for key in POLAR_SENSE.answers if key[1][:2] == b"\x02\x02")
    told = bytes.fromhex("f0020200000501") + struct.pack("<f", 2.44e-4)
    script = replace(POLAR_SENSE, answers={**POLAR_SENSE.answers, begin: (Said(CONTROL, told),)})
    decoder, _ = rehearse(PROFILE, script)
    (packet,) = decoder.decode(DATA, LONG)
    assert_allclose(packet.values[0], np.array([1905, 27376, -29282]) * 2.44e-4 * 9.80665, rtol=1e-6)


def test_differences_of_floats_are_those_of_their_bits() -> None:
    frame = read_frame(
        bytes.fromhex("050094357700000000810000803f000020410000a0411c010000a001000008cdccec0d")
    )
    wanted = np.array([[0x3F800000, 0x41200000, 0x41A00000], [0x41200000, 0x41A00000, 0x3F8CCCCD]], np.uint32)
    assert frame.measurement == GYRO
    assert_allclose(frame.counts, wanted.view(np.float32))


@given(
    st.integers(1, 24).flatmap(
        lambda bits: st.tuples(
            st.just(bits),
            st.lists(
                st.tuples(*[st.integers(-(1 << bits - 1), (1 << bits - 1) - 1)] * 3), min_size=1, max_size=20
            ),
        )
    )
)
def test_differences_of_any_width_come_back(packed: tuple[int, list[tuple[int, int, int]]]) -> None:
    bits, steps = packed
    number = 0
    for place, step in enumerate(value for sample in steps for value in sample):
        number |= (step & (1 << bits) - 1) << place * bits
    block = number.to_bytes(-(-bits * 3 * len(steps) // 8), "little")
    frame = read_frame(struct.pack("<BQB3hBB", 2, 7, 0x81, 1, -2, 3, bits, len(steps)) + block)
    assert_array_equal(frame.counts, np.cumsum([(1, -2, 3), *steps], axis=0))


@pytest.mark.parametrize(
    "frame",
    [
        "02 0000000000000000 01",
        "02 0000000000000000 01 0100",
        "02 0000000000000000 03 010002000300",
        "05 0000000000000000 00 010002000300",
        "02 0000000000000000 81 010002000300 06",
        "02 0000000000000000 81 010002000300 06 ff 00",
        "02 0000000000000000 81 010002000300 21 01 00000000000000000000000000",
        "02 0000000000000000 81 010002000300" + "00 ff" * 9,
    ],
)
def test_frames_that_are_none(frame: str) -> None:
    with pytest.raises(PacketError):
        read_frame(bytes.fromhex(frame))


def test_settings_as_the_makers_tests_have_them() -> None:
    data = bytes.fromhex("00013400010110000204f500f401e803d007040103")
    assert parse_settings(data) == {0: [52], 1: [16], 2: [245, 500, 1000, 2000], 4: [3]}
    with pytest.raises(SourceError, match="cut short"):
        parse_settings(data[:7])


def h10(**answers: str) -> None:
    """Start an H10 whose answers to some commands are others."""
    changed = {(CONTROL, bytes.fromhex(asked[1:])): said.split() for asked, said in answers.items()}
    script = replace(
        POLAR_H10,
        answers={
            **POLAR_H10.answers,
            **{key: [Said(CONTROL, bytes.fromhex(part)) for part in said] for key, said in changed.items()},
        },
    )
    rehearse(PROFILE, script)


def test_settings_may_come_in_parts_among_other_news() -> None:
    h10(_0102="f00102000100013200 0102 f0010200000101100002010800")


@pytest.mark.parametrize(
    ("answers", "advice"),
    [
        ({"_0102": "f001020d"}, "off the charger"),
        ({"_0102": "f0010203"}, "does not offer that"),
        ({"_0102": "f001020000"}, "no sampling rate"),
        ({"_0102": ""}, "nothing came"),
        (
            {"_02020001320001011000020108 00".replace(" ", ""): "f002020000050100000000"},
            "what a count is worth",
        ),
    ],
)
def test_refusals_come_with_advice(answers: dict[str, str], advice: str) -> None:
    with pytest.raises(SourceError, match=advice):
        h10(**answers)


def test_a_polar_without_accelerometer() -> None:
    with pytest.raises(SourceError, match="streams no acceleration"):
        rehearse(PROFILE, replace(POLAR_H10, reads={CONTROL: bytes.fromhex("0f01")}))


def test_a_measurement_that_nobody_ended_is_ended_first() -> None:
    class Busy(Rehearsal):
        async def write(self, characteristic: str, value: bytes, *, response: bool = True) -> None:
            if value[0] == 2 and b"\x03\x02" not in [said.value for said in self.written]:
                self.written.append(Said(characteristic, value))
                self._waiting.append(Said(CONTROL, bytes.fromhex("f0020206")))
            else:
                await super().write(characteristic, value)

    answers = {**POLAR_H10.answers, (CONTROL, b"\x03\x02"): (Said(CONTROL, bytes.fromhex("f0030200")),)}
    busy = Busy(replace(POLAR_H10, answers=answers))
    (stream,) = asyncio.run(PROFILE.decoder().start(busy, Wishes()))
    assert stream.rate == 50
    assert [said.value[:2].hex() for said in busy.written] == ["0102", "0202", "0302", "0202"]

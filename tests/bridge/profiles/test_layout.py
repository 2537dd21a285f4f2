"""The little language of layouts, of templates, and the checks of a profile file."""

from __future__ import annotations

import math
import re
import struct
from itertools import chain
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from img2imu_bridge.profiles import PacketError, Wishes
from img2imu_bridge.profiles.layout import Layout
from img2imu_bridge.profiles.numbers import scaled, to_values
from img2imu_bridge.profiles.registry import find_profile
from img2imu_bridge.profiles.rehearsal import rehearse
from img2imu_bridge.profiles.tabled import read_profile
from img2imu_bridge.profiles.template import fill, nearest, uuid
from numpy.testing import assert_array_equal

from img2imu_edge.errors import SourceError

TOML = """
name = "mine"
title = "Mine"
checked = "never"
source = "me"
rates = [10, 50]
start = [{ write = "ff01", value = "01 {rate:u16}" }]
[recognise]
names = ["Mine *"]
[stream.imu]
characteristic = "ff02"
layout = "acc_x:i16 acc_y:i16 acc_z:i16"
rate = 50.0
scales.acc = { unit = "g", per_unit = 4096 }
"""

GYROSCOPE = """
[stream.turn]
characteristic = "ff02"
layout = "0x02 gyr_x:i16 gyr_y:i16 gyr_z:i16"
rate = 50.0
scales.gyr = { unit = "deg/s" }
"""

OTHER = """
[stream.other]
characteristic = "ff03"
layout = "acc_x:i8"
rate = 50.0
scales.acc = { unit = "g" }
"""


def test_a_group_repeats_as_often_as_it_fits() -> None:
    layout = Layout("0xaa sequence:u8 ticks:u32 (acc_x:i8 skip:1 acc_y:u16)*", "big")
    assert (layout.channels, layout.sequence_bits, layout.tick_bits) == (("acc_x", "acc_y"), 8, 32)
    body = layout.decode(bytes.fromhex("aa07 00000102 ff001234 7f00ffff"))
    assert (body.sequence, body.ticks) == (7, 258)
    assert body.samples == [(-1, 0x1234), (127, 0xFFFF)]


def test_the_byte_that_is_another_one_is_told() -> None:
    layout = Layout("(0x55 acc_x:i8)*")
    with pytest.raises(PacketError, match="a byte is 0x66 instead of 0x55"):
        layout.decode(bytes.fromhex("5501 6602 5503"))


@pytest.mark.parametrize("order", ["little", "big"])
def test_stamps_of_every_type(order: Literal["little", "big"]) -> None:
    sign = "<" if order == "little" else ">"
    for kind, code, number in (("i16", "h", -2), ("u64", "Q", 1 << 63), ("f32", "f", 7.75)):
        layout = Layout(f"skip:1 ticks:{kind} acc_x:i8", order)
        packet = struct.pack(f"{sign}x{code}b", number, 5)
        assert layout.decode(packet).ticks == int(number)
        assert layout.tick_bits == 8 * struct.calcsize(sign + code)
    for odd in (math.nan, math.inf):
        with pytest.raises(PacketError, match="time stamp is"):
            layout.decode(struct.pack(f"{sign}xfb", odd, 5))


@given(st.binary(max_size=64))
def test_any_bytes_fit_or_do_not(value: bytes) -> None:
    layout = Layout("0x55 ticks:u16 (acc_x:f32 acc_y:i16)*")
    try:
        body = layout.decode(value)
    except PacketError:
        assert value[:1] != b"\x55" or len(value) < 9 or (len(value) - 3) % 6
        return
    again = np.frombuffer(value[3:], [("x", "<f4"), ("y", "<i2")])
    assert_array_equal(np.array(body.samples), np.stack([again["x"], again["y"]], axis=1, dtype=np.float64))


@given(st.integers(1, 20))
def test_a_blank_packet_fits(samples: int) -> None:
    layout = Layout("0x55 0x0c (0x61 acc_x:i16)*")
    assert layout.decode(layout.blank(samples)).samples == [(0,)] * samples


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("acc_x:i17", "acc_x:i17"),
        ("Acc:i16", "Acc:i16"),
        ("0x5", "0x5"),
        ("acc_x:i16 acc_x:i16", "comes twice"),
        ("skip:4", "no channel"),
        ("acc_x:i16 (acc_y:i16)*2", "before a group"),
        ("(acc_x:i16)*0", "holds nothing"),
        ("(acc_x:i16", "(acc_x:i16"),
        ("skip:99999999999 acc_x:i16", "skip:99999999999"),
    ],
)
def test_layouts_that_make_no_sense(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(why)):
        Layout(text)


NUMBERS = st.floats(width=32) | st.sampled_from([3.4028234663852886e38, float(2**128 - 2**103)])


@given(st.lists(st.tuples(NUMBERS, NUMBERS, st.integers(-(1 << 63), (1 << 64) - 1)), min_size=1, max_size=9))
def test_few_numbers_are_scaled_as_many_are(rows: list[tuple[float, float, int]]) -> None:
    worth = (1.0, 9.80665 / 1024, -np.pi / 180)
    counts = np.array([[float(number) for number in row] for row in rows])
    try:
        expected = to_values(counts, np.array(worth))
    except PacketError:
        with pytest.raises(PacketError):
            scaled(chain.from_iterable(rows), worth)
        return
    assert_array_equal(scaled(chain.from_iterable(rows), worth).view(np.uint32), expected.view(np.uint32))


def test_templates() -> None:
    assert fill("ff {rate:u16} {period_ms:i32}", rate=40, code=None).hex() == "ff280019000000"
    assert fill("53 {sum8} 02 01 {rate:u8}", rate=100, code=None).hex() == "5367020164"
    assert fill("{period_ms/10:u8}{code}", rate=10, code=8).hex() == "0a08"
    assert fill("{rate:f32}", rate=12.5).hex() == "00004841"
    for text, why in (("{rate:u8}", "does not fit"), ("{code}", "codes"), ("{rate:u9}", "u9"), ("zz", "hex")):
        with pytest.raises(ValueError, match=why):
            fill(text, rate=1000)


def test_rates_and_uuids() -> None:
    assert [nearest(wanted, (25, 50, 100)) for wanted in (1, 50, 50.04, 60, 400)] == [25, 50, 50, 100, 100]
    assert uuid("FF02") == "0000ff02-0000-1000-8000-00805f9b34fb"
    assert uuid("ADAF0201-C332-42A8-93BD-25E905756CB8") == "adaf0201-c332-42a8-93bd-25e905756cb8"


def test_a_file_is_a_profile(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(TOML)
    assert find_profile(str(path)).name == "mine"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (("rates = [10, 50]", "rates = [10, 50]\ncodes = [1]"), "2 rates, but 1 codes"),
        (("rates = [10, 50]", "rates = [10, 50]\ncodes = [1, 256]"), "a code is a byte"),
        (("rates = [10, 50]", "rates = [10, 0]"), "must be positive"),
        (("rates = [10, 50]", "rates = [10, 70000]"), "does not fit u16"),
        (("{rate:u16}", "{code}"), "needs `codes`"),
        (('unit = "g"', 'unit = "furlong"'), "furlong"),
        (("per_unit = 4096", "per_unit = 0"), "must not be 0"),
        (("scales.acc", "scales.gyr"), "says no scale for 'acc'"),
        (("acc_x:i16", "mag_x:i16"), "'mag_x'"),
        (("checked", "cheked"), "cheked"),
        (('"ff02"', '"ff2"'), "'ff2' is no UUID"),
        (('"ff01"', '"6e400012-b5a3"'), "is no UUID"),
        (("rate = 50.0", 'rate = 50.0\nmount = { acc_x = "acc_y" }'), "each axis of a sensor once"),
        (("rate = 50.0", 'rate = 50.0\nmount = { gyr_x = "gyr_y" }'), "each axis of a sensor once"),
        (("[stream.imu]", OTHER + "[stream.imu]"), "as another stream has"),
        (
            ("per_unit = 4096", 'choice = { read = "ff03", byte = 0, shift = 0, mask = 1, per_unit = [] }'),
            "a number for each range",
        ),
        (('title = "Mine"', ""), "missing key 'title'"),
        (("[stream.imu]", "[stream.imu"), "no device profile"),
    ],
)
def test_what_is_wrong_with_a_file_is_told(tmp_path: Path, change: tuple[str, str], why: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(TOML.replace(*change))
    with pytest.raises(
        SourceError, match=f"mine.toml is no device profile: .*{re.escape(why)}|{re.escape(why)}"
    ):
        read_profile(path)


def test_streams_told_apart_by_their_first_byte(tmp_path: Path) -> None:
    both = TOML.replace('layout = "', 'layout = "0x01 ') + GYROSCOPE
    (tmp_path / "mine.toml").write_text(both)
    profile = read_profile(tmp_path / "mine.toml")
    decoder, device = rehearse(profile)
    characteristic = uuid("ff02")
    assert device.subscribed == [characteristic]
    (acc,) = decoder.decode(characteristic, bytes.fromhex("01 0010 0000 0000"))
    (gyr,) = decoder.decode(characteristic, bytes.fromhex("02 0000 0100 ffff"))
    assert (acc.stream, gyr.stream) == ("imu", "turn")
    assert_array_equal(gyr.values, np.radians([[0, 1, -1]]).astype(np.float32))
    with pytest.raises(PacketError):
        decoder.decode(characteristic, bytes.fromhex("03 0000 0100 ffff"))
    alone, _ = rehearse(profile, wishes=Wishes(gyroscope=False))
    with pytest.raises(PacketError):
        alone.decode(characteristic, bytes.fromhex("02 0000 0100 ffff"))


def test_axes_that_point_another_way_and_one_sensor_alone(tmp_path: Path) -> None:
    mounted = TOML.replace("acc_z:i16", "acc_z:i16 gyr_x:i16").replace(
        "scales.acc",
        'mount = { acc_x = "-acc_y", acc_y = "acc_x" }\nscales.gyr = { unit = "rad/s" }\nscales.acc',
    )
    (tmp_path / "mine.toml").write_text(mounted)
    decoder, _ = rehearse(read_profile(tmp_path / "mine.toml"), wishes=Wishes(gyroscope=False))
    (packet,) = decoder.decode(uuid("ff02"), np.array([4096, 8192, -4096, 5], "<i2").tobytes())
    np.testing.assert_allclose(packet.values, np.array([[-2, 1, -1]]) * 9.80665, rtol=1e-6)


def test_no_accelerometer_at_all(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(TOML[: TOML.index("[stream")] + GYROSCOPE)
    with pytest.raises(SourceError, match="no accelerometer; leave out gyroscope=0"):
        rehearse(read_profile(tmp_path / "mine.toml"), wishes=Wishes(gyroscope=False))


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(SourceError, match=r"nowhere\.toml is no device profile"):
        find_profile("nowhere.toml")

"""What devices with a profile in code say, from their makers' sources and tests."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

from img2imu_bridge.profiles import metamotion, movesense, openearable, polar, xsens_dot
from img2imu_bridge.profiles.rehearsal import Said, Script


def _hex(text: str) -> bytes:
    return bytes.fromhex(text)


def _polar(
    measurement: int, settings: str, start: str, factor: str
) -> dict[tuple[str, bytes], Sequence[Said]]:
    ask, begin = bytes((1, measurement)), bytes((2, measurement)) + _hex(start)
    head = (_hex("f001"), _hex("f002"))
    offered, began = (part + bytes((measurement, 0, 0)) for part in head)
    return {
        (polar.CONTROL, ask): (Said(polar.CONTROL, offered + _hex(settings)),),
        (polar.CONTROL, begin): (Said(polar.CONTROL, began + _hex(factor)),),
    }


_POLAR_SERVICE: Final = ("0000180d-0000-1000-8000-00805f9b34fb", "fb005c80-02e7-f387-1cad-8acd2d8df0c8")

POLAR_H10: Final = Script(
    profile="polar",
    name="Polar H10 12345678",
    services=_POLAR_SERVICE,
    commands=(polar.CONTROL,),
    reads={polar.CONTROL: _hex("0f05000000000000000000000000000000")},
    answers=_polar(
        2, "0004 1900 3200 6400 c800 0101 1000 0203 0200 0400 0800", "0001 3200 0101 1000 0201 0800", "01"
    ),
    packets=(Said(polar.DATA, _hex("02 0094357700000000 01 f7ff ffff e703 f8ff feff e503 f9ff ffff e503")),),
)
"""Raw frames of acceleration; the packet is the beginning of one in the maker's tests."""

POLAR_SENSE: Final = Script(
    profile="polar",
    name="Polar Sense 12345678",
    services=_POLAR_SERVICE,
    commands=(polar.CONTROL,),
    reads={polar.CONTROL: _hex("0f6e020000000000000000000000000000")},
    answers={
        **_polar(
            2, "0001 3400 0101 1000 0201 0800 0401 03", "0001 3400 0101 1000 0201 0800 0401 03",
            "0501 00 00 80 3f",
        ),
        **_polar(
            5, "0001 3400 0101 1000 0204 f500 f401 e803 d007 0401 03",
            "0001 3400 0101 1000 0201 d007 0401 03", "0501" + struct.pack("<f", 1 / 16.4).hex(),
        ),
    },
    packets=(
        Said(polar.DATA, _hex("02 6500000000000000 81 f1ff 1400 f003 06 01 7b0f08")),
        Said(polar.DATA, _hex("05 6600000000000000 80 eaff 0800 0d00 03 01 df00")),
    ),
)  # fmt: skip
"""Frames of differences; the packets are from the maker's tests, with times of one clock."""

MOVESENSE: Final = Script(
    profile="movesense",
    name="Movesense 210330000123",
    services=("34802252-7185-4d5d-b431-630e7050e8f0",),
    commands=(movesense.COMMAND,),
    answers={
        (movesense.COMMAND, b"\x01\x63/Meas/IMU6/52"): (Said(movesense.NOTIFY, _hex("0163c800")),),
    },
    packets=(
        Said(
            movesense.NOTIFY,
            _hex("0263") + struct.pack("<I12f", 1000, 1, 2, 9.8, 3, 4, 9.9, 90, -90, 180, 0, 45, -45),
        ),
    ),
)
"""Two samples of accelerations, then two of angular rates."""


def _scheme() -> bytes:
    """The description of an OpenEarable's IMU, as its firmware 2.2 writes it."""
    text = bytes((0, 10)) + b"9-Axis IMU" + bytes((9,))
    for group, unit in ((b"ACCELEROMETER", b"m/s^2"), (b"GYROSCOPE", b"dps"), (b"MAGNETOMETER", b"uT")):
        for axis in (b"X", b"Y", b"Z"):
            text += bytes((6, len(group))) + group + b"\x01" + axis + bytes((len(unit),)) + unit
    return text + struct.pack("<BBBB6f", 0x13, 6, 1, 2, 25, 50, 100, 200, 400, 800)


OPENEARABLE: Final = Script(
    profile="openearable",
    name="OpenEarable-8FA3",
    services=("caa25cb7-7e1b-44f2-adc9-e8c06c9ced43", "34c2e3bb-34aa-11eb-adc1-0242ac120002"),
    commands=(openearable.CONFIG, openearable.REQUEST),
    reads={openearable.SENSORS: bytes((1, 0)), openearable.SCHEME: _scheme()},
    packets=(
        Said(openearable.DATA, struct.pack("<BBQ9f", 0, 36, 5_000_000, 0.5, -1, 9.81, 10, 20, -30, 1, 2, 3)),
        Said(
            openearable.DATA,
            struct.pack("<BBQ18fH", 0, 74, 5_020_000, *range(18), 20_000),
        ),
    ),
)
"""One sample, and two with the time between them."""


def _metamotion(acc: str, gyro: str) -> dict[tuple[str, bytes], Sequence[Said]]:
    return {
        (metamotion.COMMAND, _hex("0380")): (Said(metamotion.NOTIFY, _hex("0380" + acc)),),
        (metamotion.COMMAND, _hex("1380")): (Said(metamotion.NOTIFY, _hex("1380" + gyro)),),
    }


_ACC: Final = "62b7 530d e9fd 16d0 4d0e 5702 8aff a105 0a01"
_GYRO: Final = "0915 ad26 08de 8a1a 0d26 65e4 8d20 ac27 73ec"

METAMOTION_R: Final = Script(
    profile="metamotion",
    name="MetaWear",
    services=("326a9000-85cb-9195-d9dd-464cfbbae75a",),
    commands=(metamotion.COMMAND,),
    answers=_metamotion("0101", "0001"),
    packets=(
        Said(metamotion.NOTIFY, _hex("031c" + _ACC)),
        Said(metamotion.NOTIFY, _hex("1307" + _GYRO)),
    ),
)
"""With a BMI160; the packets are from the maker's tests."""

METAMOTION_S: Final = Script(
    profile="metamotion",
    name="MetaWear",
    services=("326a9000-85cb-9195-d9dd-464cfbbae75a",),
    commands=(metamotion.COMMAND,),
    answers=_metamotion("0400", "0100"),
    packets=(
        Said(metamotion.NOTIFY, _hex("0305" + _ACC)),
        Said(metamotion.NOTIFY, _hex("1305" + _GYRO)),
    ),
)
"""With a BMI270."""

XSENS_DOT: Final = Script(
    profile="xsens_dot",
    name="Movella DOT",
    services=(),
    commands=(xsens_dot.SETTINGS, xsens_dot.CONTROL),
    reads={
        xsens_dot.SETTINGS: bytes((0, 0, 0, 10, 0, 30, 0, 11)) + b"Movella DOT".ljust(16, b"\0")
        + struct.pack("<HB5x", 60, 0)
    },
    packets=(
        Said(xsens_dot.DATA, struct.pack("<I6f3h6x", 70_000, 0.5, -1, 9.81, 90, -45, 180, 4096, 0, -4096)),
    ),
)  # fmt: skip
"""Mode 20, with zeros behind it."""


def _serial(profile: str, chunk: bytes) -> Script:
    said = Said("", chunk)
    return Script(profile, name="", services=(), commands=("",), packets=(said,), unasked=(said,) * 3)


def _witmotion(kind: int, *values: int) -> bytes:
    frame = struct.pack("<BB4h", 0x55, kind, *values)
    return frame + bytes((sum(frame) & 0xFF,))


CSV: Final = _serial("csv_lines", b"".join(b"%d.5,-2.25,9.81,0.1,0.2,-0.3\r\n" % n for n in range(10)))
"""Lines of six numbers."""

WITMOTION_SERIAL: Final = _serial(
    "witmotion_serial",
    b"".join(_witmotion(0x51, n, -n, 2048, 0) + _witmotion(0x52, n, 0, -n, 0) for n in range(10)),
)
"""Frames of acceleration and rotation in turn."""

SCRIPTS: Final = {
    "polar H10": POLAR_H10,
    "polar Sense": POLAR_SENSE,
    "movesense": MOVESENSE,
    "openearable": OPENEARABLE,
    "metamotion BMI160": METAMOTION_R,
    "metamotion BMI270": METAMOTION_S,
    "xsens_dot": XSENS_DOT,
    "csv_lines": CSV,
    "witmotion_serial": WITMOTION_SERIAL,
}
"""All of them."""

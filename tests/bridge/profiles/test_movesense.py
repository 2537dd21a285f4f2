"""Movesense packets: all accelerations, then all angular rates, in one part or two."""

from __future__ import annotations

import struct
from dataclasses import replace

import numpy as np
import pytest
from img2imu_bridge.fuzz.scripts import MOVESENSE
from img2imu_bridge.profiles import PacketError, Wishes
from img2imu_bridge.profiles.movesense import COMMAND, NOTIFY, PROFILE
from img2imu_bridge.profiles.rehearsal import Said, rehearse
from numpy.testing import assert_allclose

from img2imu_edge.errors import SourceError

ACC = np.arange(24, dtype=np.float32).reshape(8, 3)
GYR = -10 * np.arange(24, dtype=np.float32).reshape(8, 3)
PACKET = bytes.fromhex("0263") + struct.pack("<I", 123_456) + ACC.tobytes() + GYR.tobytes()


def test_all_accelerations_come_before_all_angular_rates() -> None:
    decoder, device = rehearse(PROFILE, MOVESENSE)
    assert device.written == [(COMMAND, b"\x01\x63/Meas/IMU6/52")]
    assert decoder.decode(NOTIFY, PACKET) == []  # until it is clear whether a second part follows
    first, second = decoder.decode(NOTIFY, MOVESENSE.packets[0].value)
    assert first.ticks == 123_456
    assert_allclose(first.values, np.hstack([ACC, np.radians(GYR)]), rtol=1e-6)
    assert second.ticks == 1000
    assert_allclose(second.values[0], [1, 2, 9.8, *np.radians([90, -90, 180])], rtol=1e-6)
    assert len(decoder.decode(NOTIFY, PACKET)) == 1  # from now on at once


def test_two_parts_make_a_packet() -> None:
    decoder, _ = rehearse(PROFILE, MOVESENSE)
    for _ in range(3):
        assert decoder.decode(NOTIFY, PACKET[:150]) == []
        (packet,) = decoder.decode(NOTIFY, b"\x03\x63" + PACKET[150:])
        assert_allclose(packet.values, np.hstack([ACC, np.radians(GYR)]), rtol=1e-6)


def test_a_lost_part_costs_one_packet() -> None:
    decoder, _ = rehearse(PROFILE, MOVESENSE)
    second = b"\x03\x63" + PACKET[150:]
    assert decoder.decode(NOTIFY, PACKET[:150]) == []
    assert len(decoder.decode(NOTIFY, second)) == 1
    assert decoder.decode(NOTIFY, PACKET[:150]) == []
    with pytest.raises(PacketError, match="second part of a packet is missing"):
        decoder.decode(NOTIFY, PACKET[:150])
    assert len(decoder.decode(NOTIFY, second)) == 1
    with pytest.raises(PacketError, match="without the first"):
        decoder.decode(NOTIFY, second)


def test_the_accelerometer_alone() -> None:
    answers = {(COMMAND, b"\x01\x63/Meas/Acc/208"): (Said(NOTIFY, bytes.fromhex("0163c900")),)}
    decoder, _ = rehearse(PROFILE, replace(MOVESENSE, answers=answers), Wishes(200, gyroscope=False))
    packet = bytes.fromhex("0263") + struct.pack("<I6f", 5, 1, 2, 3, 4, 5, 6)
    decoder.decode(NOTIFY, packet)
    assert_allclose(decoder.decode(NOTIFY, packet)[0].values, [[1, 2, 3], [4, 5, 6]])


def test_other_subscriptions_and_answers_are_passed_over() -> None:
    decoder, _ = rehearse(PROFILE, MOVESENSE)
    assert decoder.decode(NOTIFY, b"\x02\x07" + PACKET[2:]) == []
    assert decoder.decode(NOTIFY, bytes.fromhex("0163c800")) == []
    assert decoder.decode("elsewhere", PACKET) == []


def test_data_in_place_of_an_answer_will_do() -> None:
    asked = (COMMAND, b"\x01\x63/Meas/IMU6/52")
    rehearse(PROFILE, replace(MOVESENSE, answers={asked: (Said(NOTIFY, PACKET),)}))


def test_a_refusal() -> None:
    asked = (COMMAND, b"\x01\x63/Meas/IMU6/52")
    script = replace(MOVESENSE, answers={asked: (Said(NOTIFY, bytes.fromhex("01639401")),)})
    with pytest.raises(SourceError, match=r"refuses /Meas/IMU6/52 \(code 404\)"):
        rehearse(PROFILE, script)


def test_what_was_wrongly_taken_for_a_second_part_is_unlearnt() -> None:
    decoder, _ = rehearse(PROFILE, MOVESENSE)
    decoder.decode(NOTIFY, PACKET)
    decoder.decode(NOTIFY, b"\x03\x63" + bytes(24))
    understood = []
    for _ in range(6):
        try:
            understood += decoder.decode(NOTIFY, PACKET)
        except PacketError:
            understood.clear()
    assert len(understood) >= 3
    assert len(decoder.decode(NOTIFY, PACKET)) == 1

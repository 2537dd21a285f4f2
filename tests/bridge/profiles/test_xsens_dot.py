"""Movella DOT: mode 20, built by the tables of its specification."""

from __future__ import annotations

import struct
from dataclasses import replace

import numpy as np
import pytest
from img2imu_bridge.fuzz.scripts import XSENS_DOT
from img2imu_bridge.profiles import Advertisement, PacketError, Wishes
from img2imu_bridge.profiles.rehearsal import rehearse
from img2imu_bridge.profiles.xsens_dot import CONTROL, DATA, PROFILE, SETTINGS
from numpy.testing import assert_allclose

from img2imu_edge.errors import SourceError


def test_a_packet_of_mode_20() -> None:
    decoder, device = rehearse(PROFILE, XSENS_DOT)
    (packet,) = decoder.decode(*XSENS_DOT.packets[0])
    assert_allclose(packet.values, [[0.5, -1, 9.81, *np.radians([90, -45, 180])]], rtol=1e-6)
    assert (packet.ticks, packet.sequence) == (70_000, None)
    assert device.written == [(CONTROL, bytes((1, 1, 20)))]
    (without_zeros,) = decoder.decode(DATA, XSENS_DOT.packets[0].value[:34])
    assert_allclose(without_zeros.values, packet.values)


def test_another_rate_is_written_and_nothing_else() -> None:
    _, device = rehearse(PROFILE, XSENS_DOT, Wishes(25, gyroscope=False))
    kept = XSENS_DOT.reads[SETTINGS]
    assert device.written[0] == (SETTINGS, b"\x10" + kept[1:24] + struct.pack("<H", 30) + kept[26:])


def test_what_does_not_fit() -> None:
    decoder, _ = rehearse(PROFILE, XSENS_DOT)
    for size in (33, 41):
        with pytest.raises(PacketError):
            decoder.decode(DATA, bytes(size))
    with pytest.raises(PacketError, match="no finite number"):
        decoder.decode(DATA, b"\xff" * 34)
    with pytest.raises(SourceError, match="update its firmware"):
        rehearse(PROFILE, replace(XSENS_DOT, reads={SETTINGS: b"\0"}))


def test_it_is_known_by_its_maker() -> None:
    assert PROFILE.recognises(Advertisement("", "", manufacturer={0x0886: b""}))
    assert not PROFILE.recognises(Advertisement("", "DOT", manufacturer={0x0030: b""}))

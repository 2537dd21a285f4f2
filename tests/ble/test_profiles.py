"""Devices of other makers, live: found by what they advertise, asked, started, decoded and stopped."""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from img2imu_bridge.fuzz.scripts import (
    METAMOTION_R,
    MOVESENSE,
    OPENEARABLE,
    POLAR_H10,
    POLAR_SENSE,
    XSENS_DOT,
)
from img2imu_bridge.profiles import metamotion, movesense, openearable, polar, xsens_dot
from img2imu_bridge.profiles.rehearsal import Said, Script
from numpy.testing import assert_allclose
from numpy.typing import NDArray

import img2imu_edge as i2e
from tests.ble.bench import Bench
from tests.ble.peripheral import Characteristic, Peripheral, Service

ADDRESS = "C0:FF:EE:00:00:07"
G = 9.80665


class Actor(Peripheral):
    """A peripheral that answers from a script.

    Attributes:
        written: What it was told, in order.
    """

    def __init__(self, script: Script, company: int | None = None) -> None:
        self._script = script
        self.written: list[Said] = []
        talking = {said.characteristic for said in script.packets}
        talking |= {said.characteristic for answers in script.answers.values() for said in answers}
        names = talking | {*script.commands} | {*script.reads}
        characteristics = [self._make(name, talks=name in talking) for name in sorted(names)]
        service = Service("0000aaaa-0000-1000-8000-00805f9b34fb", characteristics)
        super().__init__(
            script.name,
            ADDRESS,
            [service],
            advertised=script.services,
            manufacturer={company: b"\1"} if company else None,
            capacity=4096,
        )

    def _make(self, name: str, *, talks: bool) -> Characteristic:
        flags = ["notify"] if talks else []
        flags += ["write"] if name in self._script.commands else []
        flags += ["read"] if name in self._script.reads else []
        value = self._script.reads.get(name, b"")
        return Characteristic(
            name, flags, on_read=lambda: value, on_write=lambda told: self._told(name, told)
        )

    def _told(self, name: str, value: bytes) -> None:
        self.written.append(Said(name, value))
        for said in self._script.answers.get((name, value), ()):
            self.notify(said.characteristic, said.value)

    @property
    def orders(self) -> list[str]:
        """What it was told, in hexadecimal."""
        return [said.value.hex() for said in self.written]

    def play(self, go: str, packets: Iterator[Said], pause: float = 0.004) -> None:
        """Send packets, from the moment when it was told to."""
        until = time.monotonic() + 10
        while go not in self.orders:
            assert time.monotonic() < until, self.orders
            time.sleep(0.005)
        for said in packets:
            self.notify(*said, patience=5)
            time.sleep(pause)


async def hear(actor: Actor, go: str, packets: Iterator[Said], samples: int, options: str = "") -> Heard:
    """Connect as a user does, by address alone, and listen to so many samples."""
    playing = asyncio.create_task(asyncio.to_thread(actor.play, go, packets))
    blocks: list[i2e.SampleBlock] = []
    async with i2e.open_source(f"ble://{ADDRESS}{options}") as source, asyncio.timeout(15):
        profile = source.link_facts()["profile"]
        info = source.info
        async for block in source:
            blocks.append(block)
            if sum(map(len, blocks)) >= samples:
                break
    await playing
    return Heard(info, profile, source.stats, blocks)


class Heard:
    """What came of it."""

    def __init__(
        self, info: i2e.StreamInfo, profile: str, stats: i2e.LinkStats, blocks: Sequence[i2e.SampleBlock]
    ) -> None:
        self.info, self.profile, self.stats = info, profile, stats
        self.times = np.concatenate([block.times for block in blocks])
        self.values = np.concatenate([block.values for block in blocks])
        self.lost = [block.lost for block in blocks if block.lost]


def ramp(samples: int, scale: int = 1) -> NDArray[np.int64]:
    """Counts of three axes that tell the number of a sample."""
    n = np.arange(samples)
    return np.stack([n * scale, -n * scale, np.full(samples, 1000)], axis=1)


async def test_an_h10(bench: Bench) -> None:
    actor = bench.add(Actor(POLAR_H10))
    counts = ramp(300)

    def packets() -> Iterator[Said]:
        for start in range(0, 300, 10):
            if start != 150:  # a frame is lost
                head = struct.pack("<BQB", 2, 600_000_000 * 10**9 + (start + 9) * 20_000_000, 1)
                yield Said(polar.DATA, head + counts[start : start + 10].astype("<i2").tobytes())

    heard = await hear(actor, "0202000132000101100002010800", packets(), 290)
    assert heard.profile.startswith("Polar H10")
    assert (heard.info.channels, heard.info.rate) == (("acc_x", "acc_y", "acc_z"), 50)
    assert (heard.stats.samples_lost, heard.lost) == (10, [10])
    assert_allclose(heard.values[:, 2], G, rtol=1e-6)
    assert_allclose(np.rint(heard.values[:, 0] / G * 1000), np.delete(np.arange(300), np.s_[150:160]))
    assert_allclose(np.diff(heard.times)[:140], 0.02, atol=1e-3)
    assert actor.orders[-1] == "0302"


async def test_an_h10_that_was_out_of_reach_for_a_while(bench: Bench) -> None:
    """It is asked and started anew; what is missing is counted by its clock."""
    actor = bench.add(Actor(POLAR_H10))
    start = "0202000132000101100002010800"

    def packets() -> Iterator[Said]:
        for first in range(0, 300, 10):
            if first == 150:
                actor.drop()
                until = time.monotonic() + 10
                while actor.orders.count(start) < 2:
                    assert time.monotonic() < until
                    time.sleep(0.01)
            if not 150 <= first < 180:
                head = struct.pack("<BQB", 2, 10**18 + (first + 9) * 20_000_000, 1)
                yield Said(polar.DATA, head + ramp(300)[first : first + 10].astype("<i2").tobytes())

    heard = await hear(actor, start, packets(), 270)
    assert (heard.stats.reconnects, heard.stats.samples_lost, heard.lost) == (1, 30, [30])
    index = np.rint(heard.values[:, 0] / G * 1000)
    assert_allclose(index, np.delete(np.arange(300), np.s_[150:180]))
    assert_allclose(heard.times - heard.times[0], index * 0.02, atol=2e-3)
    assert actor.orders == ["0102", start] * 2 + ["0302"]


def deltas(first: NDArray[np.int64], steps: NDArray[np.int64], bits: int) -> bytes:
    """A frame's data: a sample, and one block of differences."""
    number = 0
    for place, step in enumerate(steps.ravel().tolist()):
        number |= (step & (1 << bits) - 1) << place * bits
    block = number.to_bytes(-(-bits * steps.size // 8), "little")
    return first.astype("<i2").tobytes() + bytes((bits, len(steps))) + block


async def test_a_verity_sense_with_both_sensors(bench: Bench) -> None:
    actor = bench.add(Actor(POLAR_SENSE))
    counts = ramp(312, 2)

    def packets() -> Iterator[Said]:
        for start in range(0, 312, 26):
            body = deltas(counts[start], np.diff(counts[start : start + 26], axis=0), 3)
            stamp = 10**18 + round((start + 25) * 1e9 / 52)
            yield Said(polar.DATA, struct.pack("<BQB", 2, stamp, 0x81) + body)
            yield Said(polar.DATA, struct.pack("<BQB", 5, stamp, 0x80) + body)

    heard = await hear(actor, "020500013400010110000201d007040103", packets(), 280)
    assert (len(heard.info.channels), heard.info.rate) == (6, 52)
    assert heard.stats.samples_lost == 0
    assert_allclose(
        heard.values[:, 0], heard.values[0, 0] + np.arange(len(heard.values)) * 2 * G / 1000, atol=1e-3
    )
    inside = heard.values[30:260]
    assert_allclose(inside[:, 3], np.radians(inside[:, 0] * 1000 / G / 16.4), atol=1e-3)
    assert actor.orders[-2:] == ["0302", "0305"]


async def test_a_movesense_whose_packets_come_in_two_parts(bench: Bench) -> None:
    actor = bench.add(Actor(MOVESENSE))
    acc = ramp(160).astype(np.float32)

    def packets() -> Iterator[Said]:
        for start in range(0, 160, 8):
            if start == 80:
                continue
            body = acc[start : start + 8].tobytes() + (-acc[start : start + 8]).tobytes()
            head = struct.pack("<I", (1 << 32) - 500 + round(start * 1000 / 52) & 0xFFFFFFFF)
            whole = head + body
            yield Said(movesense.NOTIFY, b"\x02\x63" + whole[:149])
            yield Said(movesense.NOTIFY, b"\x03\x63" + whole[149:])

    heard = await hear(actor, b"\x01\x63/Meas/IMU6/52".hex(), packets(), 152)
    assert (heard.stats.samples_lost, heard.lost, heard.stats.corrupt) == (8, [8], 0)
    wanted = np.delete(acc, np.s_[80:88], axis=0)
    assert_allclose(heard.values, np.hstack([wanted, -np.radians(wanted)]), rtol=1e-5, atol=1e-6)
    assert_allclose(np.diff(heard.times)[:79], 1 / 52, atol=2e-3)  # over the turn of the clock
    assert actor.orders[-1] == "0263"


async def test_an_openearable_that_describes_itself(bench: Bench) -> None:
    actor = bench.add(Actor(OPENEARABLE))

    def packets() -> Iterator[Said]:
        for n in range(150):
            if n not in (60, 61):
                values = struct.pack("<9f", n, 0, 9.81, 0, n, 0, 1, 2, 3)
                yield Said(openearable.DATA, struct.pack("<BBQ", 0, 36, 77_000_000 + n * 20_000) + values)

    heard = await hear(actor, "000101", packets(), 148)
    assert heard.info.rate == 50
    assert (heard.stats.samples_lost, heard.lost) == (2, [2])
    n = np.delete(np.arange(150), [60, 61])
    assert_allclose(heard.values[:, 0], n)
    assert_allclose(heard.values[:, 4], np.radians(n), rtol=1e-6)
    assert_allclose(heard.times - heard.times[0], n * 0.02, atol=1e-4)
    assert actor.orders == ["00", "000101", "000100"]


async def test_a_metamotion_whose_sensors_have_no_clock(bench: Bench) -> None:
    actor = bench.add(Actor(METAMOTION_R))

    def packets() -> Iterator[Said]:
        for start in range(0, 150, 3):
            body = ramp(150)[start : start + 3].astype("<i2").tobytes()
            yield Said(metamotion.NOTIFY, bytes.fromhex("031c") + body)
            yield Said(metamotion.NOTIFY, bytes.fromhex("1307") + body)

    heard = await hear(actor, "130101", packets(), 120, "?rate=100")
    assert (len(heard.info.channels), heard.info.rate) == (6, 100)
    assert heard.stats.samples_lost == 0
    assert_allclose(heard.values[:, 0], np.arange(len(heard.values)) * G / 4096, atol=1e-4)
    assert np.isfinite(heard.values[10:100]).all()
    assert actor.orders[:2] == ["0380", "03032808"]
    assert actor.orders[-6:] == ["030100", "03020001", "031c00", "130100", "13020001", "130700"]


async def test_a_dot_known_by_its_maker_alone(bench: Bench) -> None:
    actor = Actor(XSENS_DOT, company=0x0886)
    actor.name = "My left hand"
    bench.add(actor)

    def packets() -> Iterator[Said]:
        for n in range(120):
            body = struct.pack("<6f3h6x", n, 0, 9.81, 0, 0, 90, 1, 2, 3)
            yield Said(xsens_dot.DATA, struct.pack("<I", round(n * 1e6 / 30)) + body)

    heard = await hear(actor, "010114", packets(), 110, "?rate=30&gyroscope=0")
    assert heard.info.channels == ("acc_x", "acc_y", "acc_z")
    assert_allclose(heard.values[:, 0], np.arange(len(heard.values)))
    assert actor.orders[0][:2] + actor.orders[0][48:52] == "101e00"
    assert actor.orders[1:] == ["010114", "010014"]


@pytest.mark.parametrize(
    ("said", "advice"), [("f001020d", "take it off the charger"), ("f0010205", "status 5")]
)
async def test_a_refusal_reaches_the_user(bench: Bench, said: str, advice: str) -> None:
    refusal = {(polar.CONTROL, b"\x01\x02"): (Said(polar.CONTROL, bytes.fromhex(said)),)}
    script = Script(
        profile="polar",
        name=POLAR_H10.name,
        services=POLAR_H10.services,
        commands=POLAR_H10.commands,
        packets=POLAR_H10.packets,
        reads=POLAR_H10.reads,
        answers=refusal,
    )
    actor = bench.add(Actor(script))
    with pytest.raises(i2e.SourceError, match=advice):
        async with i2e.open_source(f"ble://{ADDRESS}?tries=1"):
            pass
    assert not actor.connected

"""No decoder does anything but understand or refuse, whatever comes."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterable
from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from img2imu_bridge.fuzz.__main__ import fuzz, main
from img2imu_bridge.fuzz.mutate import LONGEST, mutate
from img2imu_bridge.fuzz.scripts import SCRIPTS
from img2imu_bridge.fuzz.targets import Target, all_targets
from img2imu_bridge.profiles import PacketError
from img2imu_bridge.profiles.registry import find_profile
from img2imu_bridge.profiles.rehearsal import Said, rehearse

from img2imu_edge.errors import SourceError

NAMES = [target.name for target in all_targets()]


@cache
def targets() -> dict[str, Target]:
    return {target.name: target for target in all_targets()}


@pytest.mark.parametrize("name", NAMES)
def test_good_packets_changed_at_random(name: str) -> None:
    target = next(t for t in all_targets() if t.name == name)
    rng = random.Random(len(name))
    refused = sum(target.harm(rng) for _ in range(2000))
    assert refused < 2000  # some are understood, so that more than a first check was reached
    target.settle()


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(NAMES), st.integers(0, 9), st.binary(max_size=LONGEST))
def test_any_bytes_at_all(name: str, which: int, value: bytes) -> None:
    target = targets()[name]
    seed = target.seeds[which % len(target.seeds)]
    for data in (value, seed.value[: len(seed.value) // 2] + value):
        with contextlib.suppress(target.refused):
            target.feed(seed.characteristic, data)


@pytest.mark.parametrize("name", SCRIPTS)
def test_devices_that_answer_nonsense(name: str) -> None:
    """Whatever a device says while it is set up, it is understood or refused with a message."""
    rng, script = random.Random(name), SCRIPTS[name]
    refusals: list[str] = []
    profile = find_profile(script.profile)

    def harm(said: Iterable[Said]) -> list[Said]:
        return [Said(s.characteristic, mutate(rng, [s.value])) if rng.random() < 0.7 else s for s in said]

    for _ in range(200):
        answers = {asked: harm(said) for asked, said in script.answers.items()}
        reads = {c: mutate(rng, [v]) if rng.random() < 0.7 else v for c, v in script.reads.items()}
        changed = replace(script, answers=answers, reads=reads, unasked=harm(script.unasked))
        try:
            decoder, _ = rehearse(profile, changed)
        except SourceError as error:
            refusals.append(str(error))
            continue
        for seed in script.packets:
            with contextlib.suppress(PacketError):
                decoder.decode(*seed)
    assert len(refusals) < 200
    assert all(len(refusal) > 20 for refusal in refusals)


def test_memory_stays_what_it_was() -> None:
    result = fuzz(targets()["movesense"], 2000, seed=1)  # the one that keeps a part of a packet
    assert result.grown < 16 << 10
    assert 0 < result.refused < result.packets == 2000
    assert result.samples_per_s > 1000


def test_mutations_are_repeatable_and_bounded() -> None:
    seeds = [b"abc", bytes(LONGEST)]
    first, second = ([mutate(rng, seeds) for _ in range(500)] for rng in (random.Random(3), random.Random(3)))
    assert first == second
    assert max(map(len, first)) <= LONGEST
    assert len(set(first)) > 300


def test_the_command_reports_every_decoder(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--packets", "200", "--only", "metamotion"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines[1:3]] == [["metamotion", "BMI160"], ["metamotion", "BMI270"]]
    assert "0 decoders hold too much" in lines[-1]

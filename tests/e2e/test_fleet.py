"""Several wearables, one model, one process."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Self

import numpy as np
import pytest

import img2imu_edge as i2e
from img2imu_edge.session import Window
from tests.conftest import Run


async def test_each_of_several_wearables_gets_the_decisions_it_would_get_alone(
    model: i2e.Model, offline: list[i2e.Decision]
) -> None:
    urls = [f"replay:{i2e.demo_recording()}?speed=0&batch={batch}" for batch in (1, 3, 10, 37)]
    wearables = [i2e.Wearable(url, i2e.open_source(url)) for url in urls]
    made: dict[str, list[i2e.Decision]] = {url: [] for url in urls}
    async for wearable, decision in i2e.classify_all(wearables, model):
        made[wearable.name].append(decision)
    for wearable in wearables:
        assert wearable.ended
        assert wearable.error is None
        assert made[wearable.name] == offline


async def test_a_wearable_that_fails_disturbs_no_other(
    model: i2e.Model, offline: list[i2e.Decision], tmp_path: Path
) -> None:
    three_axes = tmp_path / "acc.csv"
    rows = [f"{i * 0.02:.2f},0,0,9.81" for i in range(200)]
    three_axes.write_text("\n".join(["time,acc_x,acc_y,acc_z", *rows]))
    urls = [
        f"replay:{i2e.demo_recording()}?speed=0",
        "virtual:?speed=60&unplug_every_s=20&recording=/no/such.csv",
        f"replay:{three_axes}?speed=0",
        "serial:///dev/not-there?retry_for=0",
    ]
    wearables = [i2e.Wearable(url, i2e.open_source(url)) for url in urls]
    good, *bad = wearables
    made = [decision async for _, decision in i2e.classify_all(wearables, model)]
    assert made == offline
    assert good.error is None
    assert [type(w.error) for w in bad] == [i2e.SourceError, i2e.SensorMismatchError, i2e.SourceError]
    assert all(wearable.ended for wearable in wearables)


class Given:
    """A source of somebody else's: blocks as they are given, without a pause."""

    url = "given:"

    def __init__(self, info: i2e.StreamInfo, blocks: list[i2e.SampleBlock]) -> None:
        self.info, self.stats, self._blocks = info, i2e.LinkStats(), blocks

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None: ...

    async def __aiter__(self) -> AsyncIterator[i2e.SampleBlock]:
        for block in self._blocks:
            yield block


async def test_blocks_that_are_not_what_their_source_said_disturb_no_other(
    model: i2e.Model, recording: i2e.Recording, offline: list[i2e.Decision]
) -> None:
    info = i2e.StreamInfo("any", recording.channels, recording.rate)
    whole = list(recording.blocks(50))
    three = [i2e.SampleBlock(b.times, b.values[:, :3], b.channels[:3]) for b in whole]
    bad, good = (i2e.Wearable(str(n), Given(info, blocks)) for n, blocks in enumerate((three, whole)))
    made = [decision async for _, decision in i2e.classify_all([bad, good], model)]
    assert made == offline
    assert isinstance(bad.error, ValueError)
    assert bad.ended
    with pytest.raises(ValueError, match="dimensions"):
        [decision async for decision in i2e.classify(Given(info, three), model)]


async def test_a_round_of_many_lets_others_have_their_turn(
    model: i2e.Model, recording: i2e.Recording
) -> None:
    turn, taken = 0, list[int]()

    class Noted(i2e.Session):
        def take(self, block: i2e.SampleBlock) -> list[Window]:
            taken.append(turn)
            return super().take(block)

    async def others() -> None:
        nonlocal turn
        while True:
            turn += 1
            await asyncio.sleep(0)

    info = i2e.StreamInfo("any", recording.channels, recording.rate)
    blocks = list(recording.blocks(5))[:64]  # what is taken of each in one round
    wearables = [
        i2e.Wearable(str(n), Given(info, blocks), Noted(model, info.rate, info.channels)) for n in range(60)
    ]
    watching = asyncio.create_task(others())
    async for _ in i2e.classify_all(wearables, model):
        pass
    watching.cancel()
    assert len(taken) == 60 * 64
    assert max(Counter(taken).values()) < 60 * 64  # milliseconds of work, not in one piece


def test_one_run_of_the_network_for_many_gives_each_its_own_to_the_bit(recording: i2e.Recording) -> None:
    for name in ("shoulder", "shoulder-fp32", str(Path(i2e.__file__).parent / "models" / "shoulder.tflite")):
        engine = i2e.load_model(name).engine
        windows = np.random.default_rng(0).random((9, *engine.input_shape), np.float32)
        logits, embeddings = engine.run_many(windows)
        for window, scores, embedding in zip(windows, logits, embeddings, strict=True):
            alone = engine.run(window)
            np.testing.assert_array_equal(alone.logits, scores)
            np.testing.assert_array_equal(alone.embedding, embedding)


def test_run_takes_several_sources_and_says_which_failed(
    img2imu: Run, offline: list[i2e.Decision], tmp_path: Path
) -> None:
    out = tmp_path / "decisions.jsonl"
    urls = ("virtual:?speed=10", f"replay:{i2e.demo_recording()}?speed=0", "serial:///dev/not-there")
    done = img2imu("run", *urls, "--model", "shoulder", "--json", "--out", out)
    assert done.returncode == 1
    assert "error: serial:///dev/not-there: cannot connect" in done.stderr
    assert out.read_text() == done.stdout
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    for url in urls[:2]:
        scores = [line["scores"] for line in lines if line["source"] == url]
        assert scores == [decision.scores for decision in offline]
    (failure,) = (line for line in lines if line["source"] == urls[2])
    assert failure["event"] == "failed"
    screen = img2imu("run", f"{urls[1]}&batch=5", urls[1], "--model", "shoulder")
    assert screen.returncode == 0
    assert "9,740" in screen.stdout

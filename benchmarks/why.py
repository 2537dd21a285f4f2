"""`python -m benchmarks.why`: does what an explanation says matters matter, and what does asking cost?

The deletion test, on windows all over the shipped recording: by how much the label's probability falls when
the tenth of the parts that an explanation ranks first is hidden; the tenth that it ranks last; and a tenth by
chance, the mean of ten draws. Then the time from a window's last sample to its decision, with nobody asking
and with somebody who never stops, in turns.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from pathlib import Path

import numpy as np

import img2imu_edge as i2e
from img2imu_edge.dashboard import Feed, Watcher
from img2imu_edge.decision import softmax
from img2imu_edge.runner import Wearable, classify_all
from img2imu_edge.session import Session
from img2imu_edge.why import explain, parts_of

DRAWS = 10
MODELS = ("shoulder", "models/shoulder-fp32.onnx", "models/shoulder.tflite")
TURNS = 3


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.why", description=__doc__)
    parser.add_argument("--models", nargs="+", default=list(MODELS))
    parser.add_argument("--every", type=int, default=6, help="of how many windows one is explained")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long each turn is listened to")
    arguments = parser.parse_args()
    print("| model | windows | most | by chance | least | runs | ms |\n" + "|---" * 7 + "|")
    for name in arguments.models:
        shipped = Path(i2e.__file__).parent / name
        print(deletion(i2e.load_model(shipped if shipped.is_file() else name), arguments.every), flush=True)
    print("\n| asked | decisions | median ms | 99 % ms | answers |\n" + "|---" * 5 + "|")
    for _ in range(TURNS):
        for asked in (False, True):
            print(asyncio.run(latency(i2e.load_model("shoulder"), arguments.seconds, asked)), flush=True)


def deletion(model: i2e.Model, every: int) -> str:
    """A row of the first table: mean ± standard deviation over windows, in points of probability."""
    recording = i2e.read_recording(i2e.demo_recording())
    session, rng = Session(model, recording.rate, recording.channels), np.random.default_rng(0)
    windows = [w.seen for block in recording.blocks(4096) for w in session.take(block) if w.seen is not None]
    falls, seconds, runs = [], [], 0
    for seen in windows[::every]:
        begin = time.perf_counter()
        found = explain(model, seen)
        seconds.append(time.perf_counter() - begin)
        order = np.argsort(-found.effects, axis=None, kind="stable")
        tenth, runs = round(0.1 * len(order)), len(order) + 2
        draws = [order[:tenth], order[-tenth:], *(rng.permutation(order)[:tenth] for _ in range(DRAWS))]
        hidden = np.zeros((len(draws), len(order)), np.bool_)
        for row, draw in zip(hidden, draws, strict=True):
            row[draw] = True
        logits = model.engine.run_many(
            parts_of(model, seen).hide(hidden.reshape(-1, *found.effects.shape))
        ).logits
        at = model.card.labels.index(found.label)
        left = [softmax(row / model.card.decision.temperature)[at] for row in logits]
        falls.append([found.probability - p for p in (left[0], float(np.mean(left[2:])), left[1])])
    shown = [
        f"{100 * mean:.1f} ± {100 * spread:.1f}"
        for mean, spread in zip(np.mean(falls, axis=0), np.std(falls, axis=0), strict=True)
    ]
    name = f"{model.path.name}"
    return f"| {name} | {len(falls)} | {' | '.join(shown)} | {runs} | {1e3 * np.median(seconds):.0f} |"


async def latency(model: i2e.Model, seconds: float, asked: bool) -> str:
    """A row of the second table: one wearable in real time, and perhaps somebody who asks without end."""
    wearable = Wearable("watch", i2e.open_source("virtual:"))
    watcher = Watcher(Feed(), [wearable], model)
    found: list[float] = []
    answers, latest = 0, 0.0

    async def ask() -> None:
        nonlocal answers
        while True:
            await asyncio.sleep(0.01)
            told = await watcher.answer(json.dumps({"why": 0, "time": latest, "label": None}))
            answers += "sentence" in json.loads(told or "{}")

    async with watcher.polling():
        asking = asyncio.create_task(ask()) if asked else None
        async for each, decision in classify_all([wearable], model):
            watcher.write(each.name, decision)
            latest = decision.time
            if decision.status == "ok" and decision.latency_ms is not None:
                found.append(decision.latency_ms)
            if decision.time > seconds:
                break
        if asking:
            asking.cancel()
    figures = f"{np.median(found):.1f} | {np.quantile(found, 0.99):.1f}"
    return f"| {'always' if asked else 'never'} | {len(found)} | {figures} | {answers} |"


if __name__ == "__main__":
    main()

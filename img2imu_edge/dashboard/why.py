"""Answers a browser that asks why: one at a time, beside the stream, never in its way."""

from __future__ import annotations

import asyncio
import base64
import json
import math
import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from img2imu_edge.dashboard.picture import drawn
from img2imu_edge.engines import Array
from img2imu_edge.errors import Img2ImuError
from img2imu_edge.model import Model
from img2imu_edge.why import Explanation, explain

_NICE = 10

BUSY = "busy"
"""Told to whom asks meanwhile; a page asks again by itself."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a browser wants explained.

    Attributes:
        index: Which wearable.
        time: Device time of the decision.
        label: Which class; None for the likeliest.
    """

    index: int
    time: float
    label: str | None

    @classmethod
    def read(cls, text: str) -> Question | None:
        """Read what a browser sent; None if it is no question."""
        try:
            told = json.loads(text)
            index, when, label = told["why"], told["time"], told["label"]
            numbers = type(index) is int and type(when) in (int, float) and math.isfinite(when)
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
            return None
        return cls(index, float(when), label) if numbers and isinstance(label, str | None) else None


class Explainer:
    """Explains windows in a thread of its own, of low priority.

    It takes one question at a time, and rests as long as the last one took: half of one core at most.

    Args:
        model: The model.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self._worker: ThreadPoolExecutor | None = None
        self._busy = False
        self.answered = 0
        """Explanations computed."""

    async def answer(self, question: Question, seen: Array | None) -> str:
        """The answer, as the page takes it.

        Args:
            question: What is asked.
            seen: The window; None if there is none.
        """
        if seen is None:
            return _told(question, problem="its picture is no longer held; ask about a later one")
        if question.label is not None and question.label not in self._model.card.labels:
            return _told(question, problem="the model has no such label")
        if self._busy:
            return _told(question, problem=BUSY)
        self._busy = True
        loop, begin = asyncio.get_running_loop(), time.monotonic()
        self._worker = self._worker or ThreadPoolExecutor(1, "img2imu-why", initializer=_be_nice)
        job = loop.run_in_executor(self._worker, explain, self._model, seen, question.label)
        job.add_done_callback(lambda _: loop.call_later(time.monotonic() - begin, self._rested))
        try:
            found = await asyncio.shield(job)  # it goes on, and counts, if the browser has gone
        except Img2ImuError as error:
            return _told(question, problem=str(error))
        self.answered += 1
        return _told(question, **_described(found))

    def close(self) -> None:
        """Take no more questions, and wait for none."""
        self._busy = True
        if self._worker:
            self._worker.shutdown(wait=False, cancel_futures=True)

    def _rested(self) -> None:
        self._busy = False


def _told(question: Question, **what: Any) -> str:
    return json.dumps({"type": "why", "index": question.index, "time": question.time, **what})


def _described(found: Explanation) -> dict[str, Any]:
    """An explanation as plain data; the image is RGBA by rows from the top, alpha is how much it matters."""
    image = drawn(found.picture.transpose(2, 0, 1)).transpose(1, 0, 2).copy()
    heat = np.maximum(found.map[::-1], 0)
    image[..., 3] = np.rint(heat / max(float(heat.max()), 1e-9) * 255)
    return {
        "label": found.label,
        "sentence": found.sentence(),
        "axes": found.axes,
        "seconds": found.seconds,
        "width": image.shape[1],
        "height": image.shape[0],
        "image": base64.b64encode(image.tobytes()).decode(),
    }


def _be_nice() -> None:
    if sys.platform == "linux":  # where a thread has a priority of its own
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)

"""Compare exported files with the network that they came from, on real pictures, in the runtime's engines."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from img2imu_edge.engines import Engine
from img2imu_edge.evaluation import macro_f1

EXACT = 1e-4
"""Largest error of a logit that float32 files may have: rounding, with room for other CPUs."""

_ROUNDS = 5
_TIMED = 40


@dataclass(frozen=True)
class Bounds:
    """How far an int8 file may be from its network.

    Attributes:
        agreement: Least share of windows on which both decide alike.
        f1_loss: Most macro-F1 that may be lost, as a share (0.01 is one point).
    """

    agreement: float = 0.99
    f1_loss: float = 0.01


@dataclass(frozen=True)
class Comparison:
    """One file against its network.

    Attributes:
        file: Name of the file.
        size: Bytes.
        windows: Pictures compared.
        max_error: Largest difference of a logit.
        mean_error: Mean difference of the logits.
        agreement: Share of windows with the same highest logit.
        f1: Macro-F1 of the file, None without labels.
        float_f1: Macro-F1 of the network, None without labels.
        milliseconds: Median time of one picture on this machine, one thread.
        relative_time: That time, relative to the fastest file's of the same run.
    """

    file: str
    size: int
    windows: int
    max_error: float
    mean_error: float
    agreement: float
    f1: float | None
    float_f1: float | None
    milliseconds: float
    relative_time: float

    def figures(self) -> dict[str, float | int]:
        """What a card says of the file: nothing that depends on the machine it was made on."""
        found: dict[str, float | int] = {
            "windows": self.windows,
            "same_label": round(self.agreement, 4),
            "logit_error_max": float(f"{self.max_error:.3g}"),
            "logit_error_mean": float(f"{self.mean_error:.3g}"),
        }
        if self.f1 is not None and self.float_f1 is not None:
            found |= {"macro_f1": round(self.f1, 4), "macro_f1_float": round(self.float_f1, 4)}
        return found

    def objections(self, bounds: Bounds, exact: bool) -> list[str]:
        """Why the file should not be used, in words; empty when it may.

        Args:
            bounds: For any file.
            exact: Whether its logits must also equal the network's to `EXACT`.
        """
        found = []
        if exact and not self.max_error <= EXACT:
            found.append(f"a logit is {self.max_error:.2g} off, more than {EXACT:g}")
        if not self.agreement >= bounds.agreement:
            found.append(
                f"it agrees with the network on {self.agreement:.2%} of {self.windows} windows, "
                f"less than {bounds.agreement:.2%}"
            )
        if self.f1 is not None and self.float_f1 is not None and self.float_f1 - self.f1 > bounds.f1_loss:
            found.append(
                f"its macro-F1 of {self.f1:.3f} is {100 * (self.float_f1 - self.f1):.2f} points below the "
                f"network's, more than {100 * bounds.f1_loss:g}"
            )
        return found


@dataclass(frozen=True)
class Candidate:
    """A file to compare.

    Attributes:
        file: Its name.
        size: Bytes of all that is written.
        engine: What runs it.
        shown: (windows, …) what it takes, the same windows for every candidate.
    """

    file: str
    size: int
    engine: Engine
    shown: NDArray[np.float32]


def compare(
    candidates: Sequence[Candidate],
    logits: NDArray[np.float32],
    labels: NDArray[np.int64] | None = None,
) -> list[Comparison]:
    """Run every file on the same windows.

    Args:
        candidates: Exports of one network.
        logits: (windows, classes) of that network.
        labels: (windows,) true classes, where they are known.
    """
    outputs = [np.stack([c.engine.run(window).logits for window in c.shown]) for c in candidates]
    times = _times(candidates)
    float_f1 = _f1(labels, logits)
    return [
        Comparison(
            file=candidate.file,
            size=candidate.size,
            windows=len(candidate.shown),
            max_error=float(np.abs(output - logits).max()),
            mean_error=float(np.abs(output - logits).mean()),
            agreement=float((output.argmax(axis=1) == logits.argmax(axis=1)).mean()),
            f1=_f1(labels, output),
            float_f1=float_f1,
            milliseconds=1000 * seconds,
            relative_time=seconds / min(times),
        )
        for candidate, output, seconds in zip(candidates, outputs, times, strict=True)
    ]


def _f1(labels: NDArray[np.int64] | None, logits: NDArray[np.float32]) -> float | None:
    if labels is None:
        return None
    return macro_f1(labels.astype(str).tolist(), logits.argmax(axis=1).astype(str).tolist())


def _times(candidates: Sequence[Candidate]) -> list[float]:
    """Median seconds of one run of each, taken in turns so that a busy moment hits all of them."""
    taken: list[list[float]] = [[] for _ in candidates]
    for _ in range(_ROUNDS):
        for times, candidate in zip(taken, candidates, strict=True):
            for window in candidate.shown[:_TIMED]:
                start = time.perf_counter()
                candidate.engine.run(window)
                times.append(time.perf_counter() - start)
    return [float(np.median(times)) for times in taken]

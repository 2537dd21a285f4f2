"""Compare exported files with the network that they came from, on real windows, in the runtime's engines."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from img2imu_edge.engines import Engine

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
        size: Bytes of its graph.
        windows: Windows compared.
        max_error: Largest difference of a logit.
        mean_error: Mean difference of the logits.
        agreement: Share of windows with the same highest logit.
        f1: Macro-F1 of the file, None without labels.
        float_f1: Macro-F1 of the network, None without labels.
        milliseconds: Median time of one window on this machine, one thread.
        relative_time: That time, relative to the baseline's of the same run.
        class_f1: F1 of the file for each class, in the card's order; empty without labels.
        float_class_f1: F1 of the network for each class.
        class_windows: Windows of each class.
        unknown_agreement: Share of windows that both call unknown, or neither does; None where nothing
            is rejected.
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
    class_f1: tuple[float, ...] = ()
    float_class_f1: tuple[float, ...] = ()
    class_windows: tuple[int, ...] = ()
    unknown_agreement: float | None = None

    def figures(self) -> dict[str, float | int]:
        """What a card says of the file: nothing that depends on the machine it was made on.

        Errors below `EXACT` are rounding of float32, which differs from CPU to CPU, and count as that.
        """
        found: dict[str, float | int] = {
            "windows": self.windows,
            "same_label": round(self.agreement, 4),
            "logit_error_max": float(f"{max(self.max_error, EXACT):.2g}"),
            "logit_error_mean": float(f"{max(self.mean_error, EXACT):.2g}"),
        }
        if self.f1 is not None and self.float_f1 is not None:
            found |= {"macro_f1": round(self.f1, 4), "macro_f1_float": round(self.float_f1, 4)}
        if self.unknown_agreement is not None:
            found["same_unknown"] = round(self.unknown_agreement, 4)
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
        if self.unknown_agreement is not None and not self.unknown_agreement >= bounds.agreement:
            found.append(
                f"it knows from unknown as the network does on {self.unknown_agreement:.2%} of windows, "
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
        size: Bytes of its graph.
        engine: What runs it.
        shown: (windows, …) what it takes, the same windows for every candidate.
    """

    file: str
    size: int
    engine: Engine
    shown: NDArray[np.float32]


Rejects = Callable[[NDArray[np.float32]], NDArray[np.bool_]]
"""Which of the embeddings (windows, embedding) are those of unknown motion."""


@dataclass(frozen=True, eq=False)
class Reference:
    """What the network itself says.

    Attributes:
        logits: (windows, classes).
        labels: (windows,) true classes, where they are known.
        embeddings: (windows, embedding), where unknown motion is rejected.
        rejects: By which embeddings it is, where it is.
    """

    logits: NDArray[np.float32]
    labels: NDArray[np.int64] | None = None
    embeddings: NDArray[np.float32] | None = None
    rejects: Rejects | None = None


def measure(candidate: Candidate, reference: Reference) -> Comparison:
    """Run a file on every window; its times stay 0.

    Args:
        candidate: An export of the network.
        reference: The network's answers on the same windows.
    """
    outputs = [candidate.engine.run(window) for window in candidate.shown]
    logits = np.stack([output.logits for output in outputs])
    error = np.abs(logits - reference.logits)
    scores = [class_f1(reference.labels, found) for found in (logits, reference.logits)]
    known = [macro(reference.labels, found) for found in scores]
    alike = None
    if reference.rejects is not None and reference.embeddings is not None:
        said = reference.rejects(np.stack([output.embedding for output in outputs]))
        alike = float((said == reference.rejects(reference.embeddings)).mean())
    counts = () if reference.labels is None else np.bincount(reference.labels, minlength=logits.shape[1])
    return Comparison(
        file=candidate.file,
        size=candidate.size,
        windows=len(candidate.shown),
        max_error=float(error.max()),
        mean_error=float(error.mean()),
        agreement=float((logits.argmax(axis=1) == reference.logits.argmax(axis=1)).mean()),
        f1=known[0],
        float_f1=known[1],
        milliseconds=0.0,
        relative_time=1.0,
        class_f1=scores[0],
        float_class_f1=scores[1],
        class_windows=tuple(int(count) for count in counts),
        unknown_agreement=alike,
    )


def timed(
    measured: Sequence[Comparison], candidates: Sequence[Candidate], baseline: int | None = None
) -> list[Comparison]:
    """The comparisons with their times, all taken in this call, in turns.

    Args:
        measured: From `measure`.
        candidates: Of the same files, in the same order.
        baseline: Which of them times are relative to; None takes the fastest.
    """
    times = _times(candidates)
    unit = min(times, default=1.0) if baseline is None else times[baseline]
    return [
        replace(comparison, milliseconds=1000 * seconds, relative_time=seconds / unit)
        for comparison, seconds in zip(measured, times, strict=True)
    ]


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
    reference = Reference(logits, labels)
    return timed([measure(candidate, reference) for candidate in candidates], candidates)


def class_f1(labels: NDArray[np.int64] | None, logits: NDArray[np.float32]) -> tuple[float, ...]:
    """F1 = 2TP / (2TP + FP + FN) of each class; 0 where a class neither is nor is said.

    Args:
        labels: (windows,) true classes; without them there are no scores.
        logits: (windows, classes).
    """
    if labels is None:
        return ()
    said, classes = logits.argmax(axis=1), range(logits.shape[1])
    hits = [int(((said == k) & (labels == k)).sum()) for k in classes]
    totals = [int((said == k).sum() + (labels == k).sum()) for k in classes]
    return tuple(2 * hit / max(total, 1) for hit, total in zip(hits, totals, strict=True))


def macro(labels: NDArray[np.int64] | None, scores: tuple[float, ...]) -> float | None:
    """Mean over the classes that occur, as `img2imu_edge.evaluation.macro_f1` takes it.

    Args:
        labels: (windows,) true classes; without them there is no mean.
        scores: F1 of each class.
    """
    return None if labels is None else float(np.mean([scores[k] for k in np.unique(labels)]))


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

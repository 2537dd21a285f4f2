"""Windows of labelled samples, and their pictures: the same code that makes them at run time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from img2imu_edge.spectrogram import SpectrogramPlan, stack
from img2imu_training.recordings import NO_LABEL, Corpus

Samples = NDArray[np.float32]
Pictures = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Windows:
    """Labelled windows of a corpus.

    Attributes:
        samples: (windows, samples, axes) float32, SI units.
        labels: (windows,) int64 class.
        subjects: (windows,) who wore the sensor.
        sessions: (windows,) index of the session in its corpus.
    """

    samples: Samples
    labels: NDArray[np.int64]
    subjects: NDArray[np.str_]
    sessions: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, index: NDArray[np.int64] | NDArray[np.bool_]) -> Windows:
        """Some of the windows."""
        return Windows(self.samples[index], self.labels[index], self.subjects[index], self.sessions[index])

    def of(self, subjects: tuple[str, ...]) -> Windows:
        """The windows of these people."""
        return self.take(np.isin(self.subjects, subjects))


def window_samples(plan: SpectrogramPlan, columns: int) -> int:
    """Samples behind a window of so many columns."""
    return plan.frame + (columns - 1) * plan.hop


def cut(corpus: Corpus, samples: int, hop: int, agreement: float = 0.8) -> Windows:
    """Cut every session into windows; none crosses a session.

    Args:
        corpus: Where to cut.
        samples: Length of a window.
        hop: Samples from the start of one to the start of the next.
        agreement: Share of a window's samples that must carry its most frequent label. Windows with less are
            left out, and so are those whose most frequent label is none.
    """
    parts, labels, subjects, sessions = [], [], [], []
    for number, session in enumerate(corpus.sessions):
        for start in range(0, len(session.values) - samples + 1, hop):
            counts = np.bincount(session.labels[start : start + samples].astype(np.int64) - NO_LABEL)
            label = int(counts.argmax()) + NO_LABEL
            if label == NO_LABEL or counts.max() < agreement * samples:
                continue
            parts.append(session.values[start : start + samples])
            labels.append(label)
            subjects.append(session.subject)
            sessions.append(number)
    shape = (len(parts), samples, len(corpus.channels))
    return Windows(
        samples=np.array(parts, np.float32).reshape(shape),
        labels=np.array(labels, np.int64),
        subjects=np.array(subjects, np.str_),
        sessions=np.array(sessions, np.int64),
    )


def pictures(samples: Samples, plan: SpectrogramPlan) -> Pictures:
    """The network's pictures of windows, as the runtime's streaming form makes them.

    Args:
        samples: (windows, samples, axes).
        plan: The spectrogram at the samples' rate.

    Returns:
        (windows, 3, sensors × rows, columns) float32 from 0 to 1.
    """
    made = [stack(plan.stretch(plan.columns(window).transpose(1, 2, 0))) for window in samples]
    return np.stack(made)

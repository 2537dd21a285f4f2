"""Seal: the card completed with what only the finished graph can say, and real windows to prove it by."""

from __future__ import annotations

import hashlib
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from img2imu_edge.card import Bounds, Form, ModelCard
from img2imu_edge.container import GOLDEN
from img2imu_edge.engines import Engine
from img2imu_edge.golden import Golden, as_sent
from img2imu_edge.spectrogram import SpectrogramPlan
from img2imu_export.extras import need
from img2imu_export.targets import Converted, Samples, Target

if TYPE_CHECKING:
    from img2imu_training.network import Network

PICTURE_BOUND = 1e-4
"""Largest error of a cell: float32 rounding of a logarithm on another CPU, and 16 bits of storage."""

EXACT_MARGIN = 1e-3
"""Error of a logit that `img2imu verify` allows a float32 file, on any CPU."""

_MARGIN = 2.0
"""An integer file may be off by its largest error on the golden windows, times this: see `error_bound`."""

WINDOWS = 3
"""Golden windows: each of another class, where there are as many."""


def golden(net: Network, card: ModelCard, samples: Samples) -> Golden:
    """Choose golden windows and compute their stages.

    Of as many classes as possible, each the window with the median lead of its label: neither one that any
    error turns, nor one that none does.

    Args:
        net: The trained network.
        card: Its card.
        samples: Windows to choose from, of people outside the training.
    """
    windows, fit = need("img2imu_training.windows"), need("img2imu_training.fit")
    plan = SpectrogramPlan(card.spectrogram, card.input.rate, len(card.input.channels))
    logits, _ = fit.predict(net, windows.pictures(samples, plan))
    leads, winners = np.diff(np.sort(logits, axis=1)[:, -2:], axis=1)[:, 0], logits.argmax(axis=1)
    chosen: list[int] = []
    for label in np.unique(winners):
        mine = np.flatnonzero(winners == label)
        chosen.append(int(mine[np.argsort(leads[mine])[len(mine) // 2]]))
    spread = np.linspace(0, len(chosen) - 1, min(WINDOWS, len(chosen))).round().astype(int)
    sent = as_sent(samples[[chosen[i] for i in spread]])
    pictures = windows.pictures(sent, plan)
    return Golden(sent, pictures, *fit.predict(net, pictures))


def error_bound(target: Target, engine: Engine | None, vectors: Golden) -> float | None:
    """Largest error of a logit to allow on the golden windows, on any device; None if nothing here can say.

    What a file is off by here, it is off by everywhere, to within what kernels round differently. On the
    shipped model, whose largest error on golden windows is 0.08 (ONNX) and 0.05 (TFLite), that is at most
    0.008 of a logit between ONNX Runtime's integer kernels and the same graph step by step in float32, and
    0.07 between XNNPACK and LiteRT's reference kernels, which are off by 0.07 on golden windows: hence twice.
    Kernels that overflow are off by ten times as much. The largest error over all windows would be a looser
    bound without being a safer one. The embedding needs none of its own: logits are a linear function of it.

    Args:
        target: The file's.
        engine: What runs it here, if anything does.
        vectors: Its golden vectors.
    """
    if target.exact:
        return EXACT_MARGIN
    if engine is None:
        return None
    shown = vectors.samples if engine.form == "samples" else vectors.pictures
    logits = np.stack([engine.run(np.ascontiguousarray(window)).logits for window in shown])
    return max(EXACT_MARGIN, _rounded_up(_MARGIN * float(np.abs(logits - vectors.logits).max())))


def _rounded_up(value: float) -> float:
    """A bound in two digits, which rounding of float32 on another machine does not change."""
    if not 0 < value < math.inf:
        return 0.0
    digits = 1 - math.floor(math.log10(value))
    unit = 10.0**-digits
    return round(math.ceil(value / unit) * unit, digits)


def complete(
    card: ModelCard,
    converted: Converted,
    form: Form,
    vectors: Golden,
    error: float | None,
    figures: dict[str, Any],
) -> ModelCard:
    """The card of an exported file.

    Args:
        card: The network's.
        converted: The graph.
        form: What the graph takes.
        vectors: Its golden vectors.
        error: Largest error of a logit to allow in `img2imu verify`; None where it is not known.
        figures: What was measured of the file; it joins the card's metrics as `export`.
    """
    hashes = {"graph": converted.graph, GOLDEN: vectors.to_bytes()}
    return replace(
        card,
        input=replace(card.input, form=form),
        quantisation=converted.quantisation,
        metrics={**card.metrics, "export": figures},
        bounds=None if error is None else Bounds(picture=PICTURE_BOUND, logits=error),
        sha256={name: hashlib.sha256(content).hexdigest() for name, content in hashes.items()},
    )

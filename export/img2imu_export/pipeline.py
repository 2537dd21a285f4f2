"""From a trained network to files: convert, compare with the network, seal, and write what holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from img2imu_edge.card import ModelCard
from img2imu_export.evidence import Evidence
from img2imu_export.extras import need
from img2imu_export.report import Bounds, Candidate, Comparison, compare
from img2imu_export.seal import complete, golden
from img2imu_export.targets import Converted, Options, Samples, Target, Trained
from img2imu_export.write import write_whole

REJECTED = ".rejected"
"""What follows the name of a file that is too far from its network."""

EXACT_MARGIN = 1e-3
"""Error of a logit that `img2imu verify` allows a float32 file, on any CPU."""

_MARGIN = 1.5
"""An int8 file may be off by the largest error on all windows, times this: another CPU rounds otherwise."""

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Export:
    """One target's outcome.

    Attributes:
        target: The target.
        converted: Its graph.
        comparison: With the network; None where nothing here runs such a graph.
        objections: Why it should not be used; empty when it may.
        files: What was written.
    """

    target: Target
    converted: Converted
    comparison: Comparison | None
    objections: tuple[str, ...]
    files: tuple[Path, ...]


def export(
    trained: Trained,
    evidence: Evidence,
    targets: Sequence[Target],
    options: Options,
    bounds: Bounds,
    output: Path,
    name: str,
    tell: Tell = lambda what: None,
) -> list[Export]:
    """Export a network to any number of targets and hold each to bounds.

    Args:
        trained: The network.
        evidence: Windows to compare on, and to choose the golden vectors from.
        targets: What to make.
        options: Choices for all of them.
        bounds: How far a file may be from the network; one that is farther keeps the ending `.rejected`.
        output: Directory to write to.
        name: The files' name, without a suffix.
        tell: Told what is being done, for people.

    Raises:
        MissingExtraError: If a converter is not installed.
        ModelError: If the network cannot be converted.
    """
    vectors = golden(trained.net, trained.card, evidence.samples)
    converted = []
    for target in targets:
        tell(f"converting to {name}{target.suffix}")
        converted.append(target.convert(trained, options))
    tell("comparing")
    comparisons = _compare(trained, evidence, targets, converted, options, name)
    done = []
    for target, made, comparison in zip(targets, converted, comparisons, strict=True):
        objections = comparison.objections(bounds, target.exact) if comparison else []
        card = complete(
            trained.card,
            made,
            options.form,
            vectors,
            error=_error_bound(target, comparison),
            figures=comparison.figures() if comparison else {},
        )
        ending = REJECTED if objections else ""
        files = target.files(name, made.graph, card, vectors)
        paths = tuple(output / f"{path}{ending}" for path in files)
        for path, content in zip(paths, files.values(), strict=True):
            tell(f"writing {path.name}")
            write_whole(path, content)
        done.append(Export(target, made, comparison, tuple(objections), paths))
    return done


def shown(card: ModelCard, samples: Samples, options: Options) -> NDArray[np.float32]:
    """Windows of samples in the form that a graph takes."""
    if options.form == "samples":
        return samples
    windows, plan = need("img2imu_training.windows"), need("img2imu_edge.spectrogram").SpectrogramPlan
    pictures: NDArray[np.float32] = windows.pictures(
        samples, plan(card.spectrogram, card.input.rate, len(card.input.channels))
    )
    return pictures


def _compare(
    trained: Trained,
    evidence: Evidence,
    targets: Sequence[Target],
    converted: Sequence[Converted],
    options: Options,
    name: str,
) -> list[Comparison | None]:
    """Each with the network; None where nothing here runs it."""
    pictures = shown(trained.card, evidence.samples, Options())
    given = evidence.samples if options.form == "samples" else pictures
    logits, _ = need("img2imu_training.fit").predict(trained.net, pictures)
    engines = [target.engine(made.graph) for target, made in zip(targets, converted, strict=True)]
    candidates = [
        Candidate(f"{name}{target.suffix}", len(made.graph), engine, given)
        for target, made, engine in zip(targets, converted, engines, strict=True)
        if engine
    ]
    found = iter(compare(candidates, logits, evidence.labels) if candidates else [])
    return [next(found) if engine else None for engine in engines]


def _error_bound(target: Target, comparison: Comparison | None) -> float:
    if target.exact or comparison is None:
        return EXACT_MARGIN
    return float(np.ceil(_MARGIN * comparison.max_error * 100) / 100)

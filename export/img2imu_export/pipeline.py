"""From a trained network to files: convert, compare with the network, seal, and write what holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from img2imu_edge.card import ModelCard
from img2imu_edge.decision import DecisionMaker
from img2imu_edge.errors import ModelError
from img2imu_edge.spectrogram import SpectrogramPlan
from img2imu_edge.whole import write_whole
from img2imu_export.evidence import Evidence
from img2imu_export.extras import need
from img2imu_export.layers import worst
from img2imu_export.report import Bounds, Candidate, Comparison, Reference, Rejects, measure, timed
from img2imu_export.seal import complete, error_bound, golden
from img2imu_export.targets import Converted, Options, Samples, Target, Trained
from img2imu_export.write import check_writable

if TYPE_CHECKING:
    from img2imu_training.network import Network

REJECTED = ".rejected"
"""What follows the name of a file that is too far from its network."""

AUTO = "auto"
"""As a layer to keep in float32: as many as it takes, the worst first."""

Tell = Callable[[str], None]
Adapt = Callable[[str], "Network | None"]


@dataclass(frozen=True)
class Export:
    """One target's outcome.

    Attributes:
        name: The target's name.
        target: The target.
        options: What it was made with; `keep_float` says what stayed float32.
        converted: Its graph.
        candidate: What was compared; None where nothing here runs such a graph.
        comparison: With the network; None where nothing here runs such a graph.
        objections: Why it should not be used; empty when it may.
        files: What was written.
        size: Bytes of that; of the graph where nothing was written.
    """

    name: str
    target: Target
    options: Options
    converted: Converted
    candidate: Candidate | None
    comparison: Comparison | None
    objections: tuple[str, ...]
    files: tuple[Path, ...] = ()
    size: int = 0


class Exporter:
    """Makes the files of one network.

    Args:
        trained: The network; every file is compared with it.
        evidence: Windows to compare on, and to choose the golden vectors from.
        options: Choices for all targets; `keep_float` may be `AUTO`.
        bounds: How far a file may be from the network.
        name: The files' name, without a suffix.
        adapt: The network to quantise instead for a target of some name, from `qat`; None leaves it alone.
        tell: Told what is being done, for people.

    Raises:
        ModelError: If the network has no layer of a name in `keep_float`.
    """

    def __init__(
        self,
        trained: Trained,
        evidence: Evidence,
        options: Options,
        bounds: Bounds,
        name: str,
        adapt: Adapt = lambda name: None,
        tell: Tell = lambda what: None,
    ) -> None:
        self._auto = AUTO in options.keep_float
        self._options = replace(options, keep_float=tuple(n for n in options.keep_float if n != AUTO))
        check_layers(trained.net, self._options.keep_float)
        self._trained, self._bounds, self._name, self._tell = trained, bounds, name, tell
        self._adapt = adapt
        self._evidence = evidence
        self._vectors = golden(trained.net, trained.card, evidence.samples)
        pictures = shown(trained.card, evidence.samples, Options())
        logits, embeddings = need("img2imu_training.fit").predict(trained.net, pictures)
        self._given = evidence.samples if options.form == "samples" else pictures
        self._reference = Reference(logits, evidence.labels, embeddings, rejection(trained.card))

    def make(self, name: str, target: Target) -> Export:
        """Convert and compare; nothing is written.

        With `AUTO`, the layer that brings most of the noise stays float32, then the next, until the file is
        within the bounds or no layer is left.

        Args:
            name: The target's name.
            target: The target.

        Raises:
            MissingExtraError: If a converter is not installed.
            ModelError: If the network cannot be converted, or there is too little to quantise by.
        """
        if not target.exact:
            self._evidence.check()
        made = self._once(name, target, self._options)
        while self._auto and made.objections and not target.exact:
            kept = made.options.keep_float
            left = [layer for layer in worst(made.converted.layers, kept) if not _within(layer.name, kept)]
            if not left:
                break
            made = self._once(name, target, replace(made.options, keep_float=(*kept, left[0].name)))
        return made

    def write(self, made: Export, output: Path) -> Export:
        """Seal a file and write it; one with objections keeps the ending `.rejected`.

        Args:
            made: From `make`.
            output: Directory to write to.

        Raises:
            ModelError: If it cannot be written.
        """
        graph, target = made.converted.graph, made.target
        error = error_bound(target, made.candidate.engine if made.candidate else None, self._vectors)
        figures = made.comparison.figures() if made.comparison else {}
        card = complete(
            self._trained.card, made.converted, made.options.form, self._vectors, error=error, figures=figures
        )
        ending = REJECTED if made.objections else ""
        files = target.files(self._name, graph, card, self._vectors)
        paths = tuple(output / f"{path}{ending}" for path in files)
        for path, content in zip(paths, files.values(), strict=True):
            self._tell(f"writing {path.name}")
            write_whole(path, content)
        if not ending:  # what was rejected before has been replaced
            for path in paths:
                path.with_name(path.name + REJECTED).unlink(missing_ok=True)
        return replace(made, files=paths, size=sum(len(content) for content in files.values()))

    def _once(self, name: str, target: Target, options: Options) -> Export:
        kept = f", {', '.join(options.keep_float)} in float32" if options.keep_float else ""
        self._tell(f"converting to {name}{kept}")
        adapted = None if target.exact else self._adapt(name)
        trained = self._trained if adapted is None else replace(self._trained, net=adapted)
        converted = target.convert(trained, options)
        engine = target.engine(converted.graph)
        if engine is None:
            return Export(name, target, options, converted, None, None, (), size=len(converted.graph))
        self._tell(f"comparing {name} on {len(self._given)} windows")
        candidate = Candidate(f"{self._name}{target.suffix}", len(converted.graph), engine, self._given)
        comparison = measure(candidate, self._reference)
        objections = tuple(comparison.objections(self._bounds, target.exact))
        size = len(converted.graph)
        return Export(name, target, options, converted, candidate, comparison, objections, size=size)


def export(
    trained: Trained,
    evidence: Evidence,
    targets: Mapping[str, Target],
    options: Options,
    bounds: Bounds,
    output: Path,
    name: str,
    adapt: Adapt = lambda name: None,
    tell: Tell = lambda what: None,
) -> list[Export]:
    """Export a network to any number of targets and hold each to bounds.

    Args:
        trained: The network.
        evidence: Windows to compare on, and to choose the golden vectors from.
        targets: What to make, by name.
        options: Choices for all of them.
        bounds: How far a file may be from the network; one that is farther keeps the ending `.rejected`.
        output: Directory to write to.
        name: The files' name, without a suffix.
        adapt: The network to quantise instead for a target of some name, from `qat`; None leaves it alone.
        tell: Told what is being done, for people.

    Raises:
        MissingExtraError: If a converter is not installed.
        ModelError: If the network cannot be converted, or a file cannot be written.
    """
    check_writable(output)
    exporter = Exporter(trained, evidence, options, bounds, name, adapt, tell)
    made = take_times([exporter.make(known, target) for known, target in targets.items()], tell)
    return [exporter.write(one, output) for one in made]


def take_times(made: Sequence[Export], tell: Tell = lambda what: None) -> list[Export]:
    """The same with times, taken in turns, relative to the first float32 file's, else to the fastest's."""
    tell("taking times")
    pairs = [(one.comparison, one.candidate) for one in made if one.comparison and one.candidate]
    exact = [one.target.exact for one in made if one.comparison]
    baseline = exact.index(True) if True in exact else None
    found = iter(timed([c for c, _ in pairs], [c for _, c in pairs], baseline))
    return [replace(one, comparison=next(found)) if one.comparison else one for one in made]


def check_layers(net: Network, names: Sequence[str]) -> None:
    """See that a network has layers of these names.

    Raises:
        ModelError: If it has not; the message names those that it has.
    """
    there = dict(net.named_modules())
    if unknown := [name for name in names if name not in there or not name]:
        stages = [f"backbone.stages.{i}" for i in range(len(net.backbone.stages))]
        raise ModelError(
            f"the network has no layer {', '.join(unknown)}; its layers are: "
            f"{', '.join([*stages, 'project'])}, and what is within them"
        )


def rejection(card: ModelCard) -> Rejects | None:
    """How a card's model tells unknown motion, by embeddings (windows, embedding); None if it does not."""
    novelty, decide = card.decision.novelty, DecisionMaker(card.decision, card.labels)
    if novelty is None:
        return None
    threshold = novelty.threshold
    return lambda embeddings: np.array([(decide.novelty(e) or 0.0) > threshold for e in embeddings])


def shown(card: ModelCard, samples: Samples, options: Options) -> NDArray[np.float32]:
    """Windows of samples in the form that a graph takes."""
    if options.form == "samples":
        return samples
    plan = SpectrogramPlan(card.spectrogram, card.input.rate, len(card.input.channels))
    pictures: NDArray[np.float32] = need("img2imu_training.windows").pictures(samples, plan)
    return pictures


def _within(name: str, kept: Sequence[str]) -> bool:
    return any(name == other or name.startswith(f"{other}.") for other in kept)

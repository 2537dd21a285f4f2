"""From a recipe's corpora to batches of pictures.

A corpus' `options` in a recipe are, by its kind:

* `formula_motion`: those of `MotionOptions`, but for the pictures' shape and number;
* `formula_images`: `kinds` of `ImageOptions`, and `size`, larger than the pictures where a view crops;
* `photographs`: `size`, the side in pixels that they are packed at.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from img2imu_edge.errors import RecordingError, TrainingError
from img2imu_edge.strict import StrictError, from_json
from img2imu_training.corpora import Batches
from img2imu_training.corpora.formula_images import MAKERS, FormulaImages, ImageOptions
from img2imu_training.corpora.formula_motion import FormulaMotion, MotionOptions
from img2imu_training.corpora.mixture import Mixture
from img2imu_training.corpora.packed import PackedImages
from img2imu_training.corpora.photographs import Progress, pack
from img2imu_training.pretrain.loop import Pictures, Source
from img2imu_training.pretrain.recipe import CorpusOptions, PretrainRecipe

T = TypeVar("T")

Made = tuple[Batches, dict[str, Any]]
"""Batches, and what they are, for the provenance."""

Make = Callable[[int, int, int], Made]
"""From the number of a process, how many there are, and its pictures in a batch."""


@dataclass(frozen=True, slots=True)
class FormulaImageOptions:
    """Options of `formula_images` in a recipe.

    Attributes:
        size: Side in pixels; 0 for the pictures' own rows and columns.
        kinds: See `ImageOptions`.
    """

    size: int = 0
    kinds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(MAKERS, 1.0))


@dataclass(frozen=True, slots=True)
class PhotographOptions:
    """Options of `photographs` in a recipe.

    Attributes:
        size: Side in pixels that they are packed at.
    """

    size: int = 64


def make_source(
    recipe: PretrainRecipe, cache: Path, progress: Progress = lambda packed, skipped: None
) -> Source:
    """Everything a recipe wants to learn from.

    Args:
        recipe: Its corpora.
        cache: Where photographs are packed, when the source is first asked.
        progress: Called while they are.

    Raises:
        RecordingError: If a corpus' options do not fit; later, from the source, if pictures cannot be read.
        TrainingError: If photographs are wanted and nothing says where they lie.
    """
    makes = [_MAKERS[corpus.kind](recipe, corpus, cache, progress) for corpus in recipe.corpora]
    weights = [corpus.weight for corpus in recipe.corpora]

    def source(rank: int, world: int, batch: int) -> Pictures:
        made = [make(rank, world, batch) for make in makes]
        provenance = tuple(
            {"kind": c.kind, "license": c.license, "share": round(c.weight / sum(weights), 4), **about}
            for c, (_, about) in zip(recipe.corpora, made, strict=True)
        )
        batches = [each for each, _ in made]
        if len(batches) == 1:
            return Pictures(batches[0], provenance)
        return Pictures(Mixture(batches, weights, recipe.seed), provenance)

    return source


def _formula_motion(recipe: PretrainRecipe, corpus: CorpusOptions, cache: Path, progress: Progress) -> Make:
    """Pairs of performances of a movement."""
    layout = recipe.picture.layout
    fixed = {"columns": layout.columns, "axes": 3 * layout.sensors, "preset": recipe.picture.preset}

    def make(rank: int, world: int, batch: int) -> Made:
        options = _options(MotionOptions, corpus, batch=batch, **fixed)
        return FormulaMotion(options, recipe.seed, rank), {"options": asdict(options)}

    make(0, 1, recipe.batch)
    return make


def _formula_images(recipe: PretrainRecipe, corpus: CorpusOptions, cache: Path, progress: Progress) -> Make:
    """Images by formula."""
    wanted = _options(FormulaImageOptions, corpus)
    height, width = wanted.size or recipe.picture.rows, wanted.size or recipe.picture.columns

    def make(rank: int, world: int, batch: int) -> Made:
        options = ImageOptions(batch, height, width, wanted.kinds)
        return FormulaImages(options, recipe.seed, rank), {"options": asdict(options)}

    try:
        make(0, 1, recipe.batch)
    except ValueError as error:
        raise RecordingError(f"{recipe.name}: formula_images: {error}") from error
    return make


def _photographs(recipe: PretrainRecipe, corpus: CorpusOptions, cache: Path, progress: Progress) -> Make:
    """Photographs, packed once."""
    if not corpus.paths:
        raise TrainingError(
            f"{recipe.name} learns from photographs; say where they lie with --images PATH, "
            "a folder or a tar shard"
        )
    options = _options(PhotographOptions, corpus)

    def make(rank: int, world: int, batch: int) -> Made:
        packed = pack([Path(path).expanduser() for path in corpus.paths], cache, options.size, progress)
        images = PackedImages(packed, batch, recipe.seed, rank, world)
        names = sorted(Path(path).name for path in corpus.paths)
        return images, {"options": asdict(options), "names": names, "count": len(images)}

    return make


_MAKERS: dict[str, Callable[[PretrainRecipe, CorpusOptions, Path, Progress], Make]] = {
    "photographs": _photographs,
    "formula_images": _formula_images,
    "formula_motion": _formula_motion,
}


def _options(kind: type[T], corpus: CorpusOptions, **fixed: Any) -> T:
    """A corpus' options; those that follow from the recipe's pictures cannot be given."""
    try:
        given = set(fixed) & set(corpus.options)
        if given:
            raise StrictError(f"{min(given)!r} follows from the recipe's picture and batch; leave it out")  # noqa: TRY301
        return from_json(kind, corpus.options | fixed)
    except StrictError as error:
        raise RecordingError(f"options of {corpus.kind}: {error}") from error

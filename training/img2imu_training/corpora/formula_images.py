"""Formula-made images: pictures to pre-train on where nobody may ship, or wants to keep, photographs.

Each maker takes `(rng, n, height, width)` and gives (n, 3, height, width) uint8, drawn for that call alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

from img2imu_training.corpora import generator
from img2imu_training.corpora.movement import Floats, log_uniform, normals, single

Images = NDArray[np.uint8]
Maker = Callable[[Generator, int, int, int], Images]

_LEAVES = 80
_ORBITS, _ITERATIONS, _BURN_IN = 48, 48, 8


def fractals(rng: Generator, n: int, height: int, width: int) -> Images:
    """Attractors of random iterated function systems (FractalDB; Kataoka et al., 2020).

    Each image has 2 to 6 affine maps. A map is two rotations around a shrinking by 0.3 to 0.9, so that it is
    a contraction and the chaos game (Barnsley, 1988) converges; its colour goes to the points it made.
    """
    maps = 6
    first, second = (_turns(rng.uniform(0, 2 * np.pi, (n, maps))) for _ in range(2))
    shrink = rng.uniform(0.3, 0.9, (n, maps, 1, 2)) * rng.choice((-1.0, 1.0), (n, maps, 1, 2))
    matrix = single((first * shrink) @ second)
    offset = single(rng.uniform(-1, 1, (n, maps, 2)))
    colours = single(rng.uniform(0.1, 1, (n, maps, 3)))
    used = rng.integers(2, maps + 1, (n, 1))
    image = np.arange(n)[:, None]
    points = np.zeros((n, _ORBITS, 2), np.float32)
    orbits, shades = [], []
    for iteration in range(_ITERATIONS):
        chosen = (rng.random((n, _ORBITS)) * used).astype(np.int64)
        points = np.einsum("npij,npj->npi", matrix[image, chosen], points) + offset[image, chosen]
        if iteration >= _BURN_IN:
            orbits.append(points)
            shades.append(colours[image, chosen])
    path, shade = np.concatenate(orbits, axis=1), np.concatenate(shades, axis=1)
    low, high = path.min(axis=1, keepdims=True), path.max(axis=1, keepdims=True)
    cell = ((path - low) / (high - low + 1e-6) * single([height - 1, width - 1])).astype(np.int64)
    flat = ((image * height + cell[..., 0]) * width + cell[..., 1]).ravel()
    size = n * height * width
    density = np.bincount(flat, minlength=size)
    hue = np.stack([np.bincount(flat, shade[..., c].ravel(), size) for c in range(3)], axis=1)
    hue = hue / np.maximum(density, 1)[:, None]
    light = single(1 - np.exp(-density * (0.6 * height * width / path.shape[1])))
    shown = (single(hue) * light[:, None]).reshape(n, height, width, 3).transpose(0, 3, 1, 2)
    ground = single(rng.uniform(0, 0.4, (n, 3, 1, 1)))
    return _shades(shown + ground * (1 - light.reshape(n, 1, height, width)))


def dead_leaves(rng: Generator, n: int, height: int, width: int) -> Images:
    """Ellipses and rectangles that hide one another, with the sizes of things in the world.

    Radii have density r⁻³, which makes the images as scale-free as natural ones (Lee, Mumford and Huang,
    2001; used for learning by Baradad et al., "Learning to see by looking at noise", 2021).
    """
    at_once = max(1, 2**16 // (height * width))  # so many that a leaf's arrays stay in a core's cache
    counts = [min(at_once, n - start) for start in range(0, n, at_once)]
    return np.concatenate([_some_dead_leaves(rng, count, height, width) for count in counts])


def _some_dead_leaves(rng: Generator, n: int, height: int, width: int) -> Images:
    y, x = _grid(height, width)
    smallest, largest = 0.03, 0.6
    share = rng.random((_LEAVES, n, 1, 1))
    radius = 1 / np.sqrt(share / largest**2 + (1 - share) / smallest**2)
    down, right = rng.uniform(0, 1, (2, _LEAVES, n, 1, 1))
    angle, stretch = rng.uniform(0, np.pi, share.shape), rng.uniform(1, 3, share.shape)
    cosine, sine = np.cos(angle) / radius, np.sin(angle) / radius
    along = single(sine * (y - down)), single(cosine * (x - right))
    across = single(stretch * cosine * (y - down)), single(-stretch * sine * (x - right))
    elliptic = rng.random(share.shape) < 0.5
    top = np.zeros((n, height, width), np.intp)
    for leaf in range(_LEAVES):
        a = np.square(along[0][leaf] + along[1][leaf])
        b = np.square(across[0][leaf] + across[1][leaf])
        inside = np.where(elliptic[leaf], a + b, np.maximum(a, b)) < 1
        np.copyto(top, leaf + 1, where=inside)
    image = np.arange(n)[:, None, None]
    colour = single(rng.uniform(0, 1, (n, _LEAVES + 1, 3)))
    slope = single(rng.normal(0, 0.3, (n, _LEAVES + 1, 2)))[image, top]  # light that falls from a side
    shade = slope[..., 0] * (y - single(0.5)) + slope[..., 1] * (x - single(0.5))
    return _shades((colour[image, top] + shade[..., None]).transpose(0, 3, 1, 2))


def waves(rng: Generator, n: int, height: int, width: int) -> Images:
    """Sums of gratings, each in a colour, whose pitch and direction change across the image."""
    y, x = _grid(height, width)
    shown = np.full((n, 3, height, width), 0.5, np.float32)
    for _ in range(4):
        cycles = log_uniform(rng, 0.7, 0.35 * min(height, width), n)
        angle = rng.uniform(0, 2 * np.pi, n)
        pitch = single(2 * np.pi * cycles * np.stack([np.sin(angle), np.cos(angle)]))[:, :, None, None]
        chirp = single(rng.normal(0, 0.5, (3, n)) * np.pi * cycles)[:, :, None, None]
        start = single(rng.uniform(0, 2 * np.pi, (n, 1, 1)))
        carrier = np.cos(
            pitch[0] * y + pitch[1] * x + chirp[0] * y * y + chirp[1] * x * x + chirp[2] * x * y + start
        )
        centre, spread = single(rng.uniform(0, 1, (2, n, 1, 1))), single(rng.uniform(0.1, 1.5, (2, n, 1, 1)))
        window = np.exp(-np.square((y - centre[0]) / spread[0]) - np.square((x - centre[1]) / spread[1]))
        shown += (carrier * window)[:, None] * single(rng.normal(0, 0.25, (n, 3, 1, 1)))
    return _shades(shown)


def coloured_noise(rng: Generator, n: int, height: int, width: int) -> Images:
    """Noise of power 1/f^slope, slopes 1 to 4, stretched along an axis, its colours more or less related."""
    down = single(np.fft.fftfreq(height) * height)[:, None]
    right = single(np.fft.rfftfreq(width) * width)
    squeeze = single(log_uniform(rng, 1 / 3, 3, n))[:, None, None]
    frequency = np.sqrt(np.square(down * squeeze) + np.square(right / squeeze))
    frequency[:, 0, 0] = 1
    shape = frequency ** single(-0.5 * rng.uniform(1, 4, (n, 1, 1)))
    shape[:, 0, 0] = 0
    noise = normals(rng, n, 3, height, 2 * len(right)).view(np.complex64) * shape[:, None]
    field_ = single(np.fft.irfft2(noise, (height, width)))
    mixed = np.einsum("nij,njyx->niyx", np.eye(3, dtype=np.float32) + normals(rng, n, 3, 3), field_)
    mixed /= mixed.std(axis=(1, 2, 3), keepdims=True) + 1e-9
    contrast = single(rng.uniform(0.1, 0.35, (n, 1, 1, 1)))
    return _shades(0.5 + contrast * mixed + 0.15 * normals(rng, n, 3, 1, 1))


def bands(rng: Generator, n: int, height: int, width: int) -> Images:
    """Stripes at related heights that come and go, blobs and upright onsets: as in spectrograms."""
    y, x = _grid(height, width)
    shown = np.zeros((n, 3, height, width), np.float32)
    base = rng.uniform(0, 0.8, n)
    for number in range(1, 6):
        # On a logarithmic axis harmonics lie closer and closer; six octaves fill the picture.
        where = single(base + np.log2(number) / 6)[:, None, None]
        bend = single(rng.normal(0, 0.03, (2, n, 1, 1)))
        line = y - where - bend[0] * x - bend[1] * np.square(x)
        thick = single(log_uniform(rng, 0.015, 0.08, n))[:, None, None]
        beat = single(rng.uniform(0, 8, (n, 1, 1))) * x + single(rng.uniform(0, 2 * np.pi, (n, 1, 1)))
        level = single(rng.uniform(0, 1, (n, 3, 1, 1))) * single(rng.random((n, 1, 1, 1)) < 0.8)
        depth = single(rng.random((n, 1, 1)))
        shown += level * (np.exp(-np.square(line / thick)) * (1 - depth * np.square(np.sin(beat))))[:, None]
    for _ in range(3):
        centre, size = single(rng.uniform(0, 1, (2, n, 1, 1))), single(rng.uniform(0.03, 0.3, (2, n, 1, 1)))
        tall = single(np.where(rng.random((n, 1, 1)) < 0.5, 6.0, 1.0))
        blob = np.exp(-np.square((y - centre[0]) / (size[0] * tall)) - np.square((x - centre[1]) / size[1]))
        shown += single(rng.uniform(-0.3, 0.7, (n, 3, 1, 1))) * blob[:, None]
    tilt = single(rng.normal(0, 0.3, (n, 3, 1, 1)))
    grain = single(rng.uniform(0, 0.15, (n, 1, 1, 1))) * normals(rng, n, 3, height, width)
    return _shades(shown + 0.2 + tilt * (y - 0.5) + grain)


MAKERS: dict[str, Maker] = {
    "fractals": fractals,
    "dead-leaves": dead_leaves,
    "waves": waves,
    "noise": coloured_noise,
    "bands": bands,
}
"""Every maker by its name."""


@dataclass(frozen=True, slots=True)
class ImageOptions:
    """What formula-made images are like.

    Attributes:
        batch: Images in a batch.
        height: Of an image, pixels.
        width: Of an image, pixels.
        kinds: How often each of `MAKERS` comes, as shares of any sum.
    """

    batch: int = 256
    height: int = 32
    width: int = 32
    kinds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(MAKERS, 1.0))

    def __post_init__(self) -> None:
        unknown = sorted(set(self.kinds) - set(MAKERS))
        if unknown:
            raise ValueError(f"no formula is called {unknown[0]!r}; there are: {', '.join(MAKERS)}")
        if min(self.kinds.values(), default=0) < 0 or not sum(self.kinds.values()) > 0:
            raise ValueError("the shares of the formulas must not be negative, nor all 0")


class FormulaImages:
    """Formula-made images as a corpus; each is new, none comes twice.

    Args:
        options: What they are like.
        seed: Of all randomness.
        rank: Number of this worker among those that train together; each has batches of its own.
    """

    def __init__(self, options: ImageOptions = ImageOptions(), seed: int = 0, rank: int = 0) -> None:
        self.options, self.seed, self.rank = options, seed, rank
        shares = np.array(list(options.kinds.values()))
        self._shares = shares / shares.sum()

    def batch(self, step: int) -> Tensor:
        """Images (n, 1, 3, height, width) uint8 of a step, kinds in any order."""
        o, rng = self.options, generator(self.seed, self.rank, step)
        counts = rng.multinomial(o.batch, self._shares)
        made = [
            MAKERS[kind](rng, int(count), o.height, o.width)
            for kind, count in zip(o.kinds, counts, strict=True)
            if count
        ]
        return torch.from_numpy(rng.permutation(np.concatenate(made)))[:, None]


def _grid(height: int, width: int) -> tuple[Floats, Floats]:
    """Heights (height, 1) and places along the width (1, width), both from 0 to 1."""
    return single(np.linspace(0, 1, height))[:, None], single(np.linspace(0, 1, width))[None]


def _turns(angles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rotation matrices (…, 2, 2)."""
    sine, cosine = np.sin(angles), np.cos(angles)
    return np.stack([cosine, -sine, sine, cosine], axis=-1).reshape(*angles.shape, 2, 2)


def _shades(values: NDArray[np.floating]) -> Images:
    """0 … 1 as 0 … 255, cut off at both ends."""
    return np.clip(values * np.float32(255) + np.float32(0.5), 0, 255).astype(np.uint8)

"""The pictures of the gallery and of the home page: `python docs/gallery/draw.py`.

All of them are made by the runtime's own front-end, from the recording that the package ships; a test makes
them again and compares.
"""

from __future__ import annotations

import base64
import io
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from hero import hero
from img2imu_training.pretrain.views import Hue, Jitter, PermuteX, TranslateX
from numpy.typing import NDArray
from PIL import Image
from reading import reading

import img2imu_edge as i2e
from img2imu_edge.spectrogram import spectrogram, stack

Picture = NDArray[np.float32]
"""(3, rows, columns) from 0 to 1, lowest frequency first."""

SPEC = i2e.SpectrogramSpec.preset("motion")
SECONDS = 12
CELL = 4
"""Pixels of a cell's side."""


def recording() -> i2e.Recording:
    """The recording that the package ships."""
    return i2e.read_recording(i2e.demo_recording())


def starts(tape: i2e.Recording) -> dict[str, int]:
    """The first sample of each exercise, in their order."""
    labels = [] if tape.labels is None else [str(label) for label in tape.labels]
    return {label: labels.index(label) for label in dict.fromkeys(labels)}


def excerpt(tape: i2e.Recording, label: str, seconds: float = SECONDS) -> NDArray[np.float32]:
    """Samples (n, 6) of an exercise, from its seventh second on."""
    first = starts(tape)[label] + 6 * 50
    return tape.values[first : first + round(seconds * 50)]


def picture(samples: NDArray[np.float32]) -> Picture:
    """What a network sees of samples, the accelerometer alone or both sensors."""
    return stack(spectrogram(samples, SPEC, 50.0))


def png(picture: Picture, cell: int = CELL) -> bytes:
    """A picture as a PNG, low frequencies below."""
    levels = np.rint(picture * 255).astype(np.uint8).transpose(1, 2, 0)[::-1]
    return encoded(np.ascontiguousarray(levels.repeat(cell, axis=0).repeat(cell, axis=1)))


def encoded(pixels: NDArray[np.uint8]) -> bytes:
    """Pixels (rows, columns, 3) as a PNG."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", optimize=True)
    return file.getvalue()


def with_gap(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Samples of which two seconds were lost, bridged in a straight line as the runtime does."""
    first, last = 149, 250
    bridged = samples.copy()
    bridged[first : last + 1] = np.linspace(samples[first], samples[last], last + 1 - first)
    return bridged


def pictures() -> Iterator[tuple[str, bytes]]:
    """The files and their bytes."""
    tape, rng = recording(), np.random.default_rng(0)
    for label in starts(tape):
        yield f"{label}.png", png(picture(excerpt(tape, label)))
    still = np.zeros((400, 6), np.float32)
    still[:, 2] = 9.81
    still += rng.normal(0, (0.02, 0.02, 0.02, 0.002, 0.002, 0.002), still.shape).astype(np.float32)
    yield "rest.png", png(picture(still))
    yield "noise.png", png(picture(rng.normal(0, 2, (400, 6)).astype(np.float32)))
    yield "gap.png", png(picture(with_gap(excerpt(tape, "abduction", 8))))
    window = picture(excerpt(tape, "forward_elevation", 5)[:, :3])
    yield "window.png", png(window, 6)
    # As strong as the recipe of `tiny` ever has them, so that they can be seen; the noise twice that.
    views = {
        "shifted": TranslateX(0.5),
        "permuted": PermuteX(4),
        "mixed": Hue(0.05),
        "noisy": Jitter(0.2),
    }
    torch.manual_seed(3)
    for name, view in views.items():
        varied = view(torch.from_numpy(window.copy())[None])[0].numpy()
        yield f"{name}.png", png(varied, 6)
    strip = picture(tape.values)
    yield "hero.svg", hero(list(starts(tape).values()), strip, lambda part: inline(png(part, 1))).encode()
    shown = picture(excerpt(tape, "abduction"))
    yield "reading.svg", reading(SPEC, inline(png(shown, 1)), shown.shape).encode()


def inline(image: bytes) -> str:
    """A PNG as the address that an SVG holds it by."""
    return "data:image/png;base64," + base64.b64encode(image).decode()


def main(folder: Path) -> None:
    """Write all pictures."""
    for name, content in pictures():
        (folder / name).write_bytes(content)
        print(f"{name:24} {len(content):7,d} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)

"""Pictures in a terminal: two rows of cells a line, as the halves of a character."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from rich.color import Color
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.segment import Segment
from rich.style import Style

Pixel = tuple[int, int, int]


class HalfBlocks:
    """A picture as rich prints it, an eighth of the work of a `Text` with as many styles.

    Args:
        picture: (3, rows, columns) of 0 to 1, red, green and blue; the lowest row is printed last.
    """

    def __init__(self, picture: NDArray[np.float32]) -> None:
        pixels = (np.clip(picture, 0, 1) * 255).astype(int)[:, ::-1].transpose(1, 2, 0)
        if len(pixels) % 2:
            pixels = np.concatenate([pixels, np.zeros_like(pixels[:1])])
        self._pixels = pixels

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        width = self._pixels.shape[1]
        return Measurement(width, width)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for upper, lower in zip(self._pixels[::2].tolist(), self._pixels[1::2].tolist(), strict=True):
            for above, below in zip(upper, lower, strict=True):
                yield Segment("▀", _style(tuple(above), tuple(below)))
            yield Segment.line()


@lru_cache(1 << 13)  # a picture moves on: most of its cells were in the one before
def _style(above: Pixel, below: Pixel) -> Style:
    return Style.from_color(Color.from_rgb(*above), Color.from_rgb(*below))

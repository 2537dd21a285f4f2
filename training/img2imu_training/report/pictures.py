"""Spectrogram pictures as drawings: the cells as a PNG inside, axes in hertz and seconds around it."""

from __future__ import annotations

import base64
import io

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray
from PIL import Image

from img2imu_training.report.contents import PictureAxes
from img2imu_training.report.svg import element, joined, ticks

HERTZ = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50)
"""Frequencies that may be labelled."""

_APART = 11.0
"""Least distance of two labels in pixels."""


def png(picture: NDArray[np.float32], scale: int) -> str:
    """A picture as the data URI of a PNG, every cell a square of `scale` pixels.

    Args:
        picture: (3, rows, columns) from 0 to 1, lowest frequency first; it is shown lowest at the bottom.
        scale: Pixels per cell.
    """
    cells = np.clip(picture, 0, 1).transpose(1, 2, 0)[::-1]
    image = Image.fromarray(np.round(cells * 255).astype(np.uint8))
    size = image.width * scale, image.height * scale
    buffer = io.BytesIO()
    image.resize(size, Image.Resampling.NEAREST).save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def spectrogram(
    picture: NDArray[np.float32], axes: PictureAxes, name: str, alt: str, scale: int = 3, names: bool = False
) -> Markup:
    """A picture with its axes: hertz on the left, seconds below.

    Args:
        picture: (3, sensors × rows, columns) from 0 to 1.
        axes: What its rows and columns stand for.
        name: Unique within the page.
        alt: What a screen reader says of it.
        scale: Pixels per cell.
        names: Whether the sensors and the units are written beside it.
    """
    _, rows, columns = picture.shape
    sensors = rows // axes.rows
    left, top, bottom = 26.0, 4.0, 30.0 if names else 16.0
    right = 118.0 if names else 2.0
    width, height = float(columns * scale), float(rows * scale)
    parts = [
        element("title", alt, id=name),
        element("image", href=png(picture, scale), x=left, y=top, width=width, height=height),
    ]
    for sensor in range(sensors):
        foot = top + height - sensor * axes.rows * scale
        parts += _frequency_labels(axes, foot, left, scale)
        if names:
            parts.append(_names(("acceleration", "rotation")[sensor], axes, foot, left + width, scale))
        if sensor:
            parts.append(element("path", d=f"M{left:.1f} {foot:.1f}h{width:.1f}", class_="seam"))
    first = axes.frame_s / 2
    last = first + (columns - 1) * axes.hop_s
    for second in ticks(first, last, 3):
        x = left + ((second - first) / axes.hop_s + 0.5) * scale
        label = f"{second:g} s"
        parts.append(element("path", d=f"M{x:.1f} {top + height:.1f}v3", class_="base"))
        parts.append(element("text", label, x=x, y=top + height + 12, class_="small middle"))
    if names:
        foot = top + height
        parts.append(element("text", "Hz", x=left - 4, y=foot + 12, class_="small end"))
        words = "time: middle of each column's frame"
        parts.append(element("text", words, x=left + width / 2, y=foot + 26, class_="small middle"))
    return element(
        "svg",
        *parts,
        viewBox=f"0 0 {left + width + right:g} {top + height + bottom:g}",
        role="img",
        aria_labelledby=name,
        class_="spectrogram",
    )


def _frequency_labels(axes: PictureAxes, foot: float, left: float, scale: int) -> list[Markup]:
    parts: list[Markup] = []
    previous = np.inf
    for hertz in HERTZ:
        if not axes.frequencies[0] <= hertz <= axes.frequencies[-1]:
            continue
        row = axes.level_rows + float(np.interp(hertz, axes.frequencies, np.arange(len(axes.frequencies))))
        y = foot - (row + 0.5) * scale
        if previous - y < _APART:
            continue
        previous = y
        parts.append(element("path", d=f"M{left - 3:.1f} {y:.1f}h3", class_="base"))
        parts.append(element("text", f"{hertz:g}", x=left - 5, y=y + 3, class_="small end"))
    return parts


def _names(sensor: str, axes: PictureAxes, foot: float, right: float, scale: int) -> Markup:
    """The sensor's name beside its rows, and what the level rows below are."""
    middle = foot - (axes.level_rows + axes.rows) / 2 * scale
    parts = [element("text", sensor, x=right + 8, y=middle + 3, class_="small strong")]
    if axes.level_rows:
        level = {"acceleration": "gravity’s direction", "rotation": "steady turn"}[sensor]
        parts.append(
            element("text", level, x=right + 8, y=foot - axes.level_rows * scale / 2 + 3, class_="small")
        )
    return joined(parts)

"""How to read a picture: one with its axes named."""

from __future__ import annotations

import math

import img2imu_edge as i2e

LEFT, TOP, WIDE, ROW, BETWEEN = 232, 54, 640, 5, 24
AXES = ("x red", "#ff7b7b"), ("y green", "#5bd08d"), ("z blue", "#74a9ff")
STYLE = """
text { font: 15px system-ui, sans-serif; fill: #98a2b0; }
.name { font-weight: 600; fill: #e8ebf0; font-size: 17px; }
image { image-rendering: pixelated; }
path { stroke: #4a5361; }
"""


def reading(spec: i2e.SpectrogramSpec, image: str, shape: tuple[int, ...]) -> str:
    """Draw it.

    Args:
        spec: What the picture was made by.
        image: The address of the picture.
        shape: (3, rows, columns) of it; two sensors.

    Returns:
        SVG on a dark ground.
    """
    _, rows, columns = shape
    each, tall = rows // 2, rows * ROW + BETWEEN
    octaves = math.log(spec.f_max / spec.f_min)
    parts = []
    for sensor, (name, unit) in enumerate((("gyroscope", "turning"), ("accelerometer", "moving"))):
        foot = TOP + (sensor + 1) * each * ROW + sensor * BETWEEN
        parts.append(
            f'<svg x="{LEFT}" y="{foot - each * ROW}" width="{WIDE}" height="{each * ROW}" '
            f'viewBox="0 {sensor * each} {columns} {each}" preserveAspectRatio="none">'
            f'<use href="#picture"/></svg>'
        )
        parts.append(f'<text class="name" x="20" y="{foot - each * ROW + 20}">{name}</text>')
        parts.append(f'<text x="20" y="{foot - each * ROW + 40}">{unit}</text>')
        for frequency in (0.3, 1, 3, 15):
            row = spec.level_rows + (spec.bins - 1) * math.log(frequency / spec.f_min) / octaves + 0.5
            y = foot - row * ROW
            parts.append(f'<path d="M{LEFT - 8} {y:.1f}h6"/>')
            parts.append(f'<text x="{LEFT - 13}" y="{y + 5:.1f}" text-anchor="end">{frequency:g} Hz</text>')
        y = foot - spec.level_rows * ROW / 2
        parts.append(
            f'<path d="M{LEFT - 8} {foot - spec.level_rows * ROW + 1}v{spec.level_rows * ROW - 2}"/>'
        )
        said = "net turn" if sensor == 0 else "posture"
        parts.append(f'<text x="{LEFT - 13}" y="{y + 5:.1f}" text-anchor="end">{said}</text>')
    for second in range(0, math.ceil(columns * spec.hop_s), 2):
        x = LEFT + second / spec.hop_s / columns * WIDE
        parts.append(f'<path d="M{x:.1f} {TOP + tall + 2}v6"/>')
        parts.append(f'<text x="{x:.1f}" y="{TOP + tall + 25}" text-anchor="middle">{second} s</text>')
    axes = "".join(
        f'<text class="name" x="{LEFT + 96 * i}" y="34" style="fill: {colour}">{axis}</text>'
        for i, (axis, colour) in enumerate(AXES)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 892 {TOP + tall + 42}" role="img">'
        "<title>A picture with its axes: time to the right, frequency upwards, gyroscope above</title>"
        f'<style>{STYLE}</style><rect width="892" height="{TOP + tall + 42}" rx="16" fill="#0b0e13"/>{axes}'
        f'<defs><image id="picture" href="{image}" width="{columns}" height="{rows}"/></defs>'
        f"{''.join(parts)}</svg>\n"
    )

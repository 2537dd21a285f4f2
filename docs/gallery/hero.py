"""The home page's drawing: motion that moves past the window of a network, and what it decides."""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby, pairwise

import numpy as np
from numpy.typing import NDArray

import img2imu_edge as i2e

SECONDS = 8
"""Of each exercise; seven of them pass in the 56 seconds of the animation."""

COLUMN = 6
"""Pixels of a column; ten columns are a second."""

LABELS = i2e.load_model("shoulder").card.labels
COLOURS = dict(
    zip(
        LABELS,
        ("#f0a640", "#4cc38a", "#74a9ff", "#d68cf0", "#ff7b7b", "#5cc8c8", "#c9cf5a"),
        strict=True,
    )
)
GREY = "#727b88"

DRAWING = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 960 372" role="img">
<title>A spectrogram moves past the window that the network sees, and the exercise is named</title>
<style>
text {{ font: 600 20px system-ui, sans-serif; fill: #e8ebf0; }}
.small {{ font-size: 15px; font-weight: 400; fill: #98a2b0; }}
.now {{ font-size: 32px; opacity: 0; animation: 56s step-end infinite; }}
.move {{ animation: move 56s linear infinite; }}
image {{ image-rendering: pixelated; }}
@keyframes move {{ from {{ transform: translateX(934px); }} to {{ transform: translateX({end}px); }} }}
{moments}
@media (prefers-reduced-motion: reduce) {{
  .move, .now {{ animation: none; }}
  .move {{ transform: translateX({end}px); }}
  .now:last-of-type {{ opacity: 1; }}
}}
</style>
<clipPath id="all"><rect width="960" height="372" rx="16"/></clipPath>
<g clip-path="url(#all)">
<rect width="960" height="372" fill="#0b0e13"/>
<g class="move"><g id="strip">
<image href="{strip}" y="70" width="{length}" height="224" preserveAspectRatio="none"/>
{track}
</g><use href="#strip" x="-{length}"/></g>
<rect x="724" y="69" width="210" height="226" fill="none" stroke="#fff" stroke-width="2.5" rx="3"/>
<rect x="934" width="26" height="372" fill="#0b0e13"/>
<text class="small" x="934" y="56" text-anchor="end">what the network sees</text>
{names}
</g>
</svg>
"""


def hero(starts: list[int], whole: NDArray[np.float32], inline: Callable[[NDArray[np.float32]], str]) -> str:
    """Draw it.

    Args:
        starts: The first sample of each exercise in the recording that the package ships.
        whole: The picture of that recording.
        inline: Makes an address of a picture.

    Returns:
        SVG, which moves unless its reader wants nothing to.
    """
    decided = i2e.classify_recording(i2e.demo_recording(), i2e.load_model("shoulder"))
    shown, told = [], []
    for number, sample in enumerate(starts):
        start = sample / 50 + 7.5
        first = round(start * 10) - 16  # the column whose last sample is the first one shown
        shown.append(whole[:, :, first : first + SECONDS * 10])
        for one in decided:
            if start <= one.time < start + SECONDS:
                at = (number * SECONDS + one.time - start) * 10 * COLUMN
                told.append((at, one.label or "", one.confidence))
    length = len(starts) * SECONDS * 10 * COLUMN
    runs = [(label, list(group)) for label, group in groupby(told, key=lambda one: one[1])]
    return DRAWING.format(
        end=934 - length,
        length=length,
        strip=inline(np.concatenate(shown, axis=2)),
        moments="\n".join(moments([group[0][0] for _, group in runs], length)),
        track=track(runs),
        names="\n".join(
            f'<text class="now" style="animation-name: now{i}; fill: {COLOURS.get(label, GREY)}" '
            f"x='26' y='47'>{label.replace('_', ' ')}</text>"
            for i, (label, _) in enumerate(runs)
        ),
    )


def track(runs: list[tuple[str, list[tuple[float, str, float]]]]) -> str:
    """The decisions below the strip, as high as confident; each run of them is named."""
    drawn = []
    for label, group in runs:
        drawn += [
            f'<rect x="{x:.0f}" y="{346 - 40 * sure:.1f}" width="28" height="{40 * sure:.1f}" '
            f'fill="{COLOURS.get(label, GREY)}"/>'
            for x, _, sure in group
        ]
        if len(group) > 3:  # else there is no room
            name = label.replace("_", " ")
            drawn.append(f'<text class="small" x="{group[0][0]:.0f}" y="364">{name}</text>')
    return "\n".join(drawn)


def moments(starts: list[float], length: float) -> list[str]:
    """When the name of each run of decisions is shown; the last one also until the first begins anew."""
    told = []
    for i, (begin, end) in enumerate(pairwise([*starts, length])):
        else_shown = int(end == length)
        steps = ((0, else_shown), (starts[0], 0), (begin, 1), (end, else_shown))
        told.append(
            f"@keyframes now{i} {{ "
            + " ".join(f"{100 * at / length:.2f}% {{ opacity: {seen}; }}" for at, seen in steps)
            + " }"
        )
    return told

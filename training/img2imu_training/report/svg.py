"""Drawing with SVG: elements, scales and the frame of a chart. Colours live in the style sheet."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

Scale = Callable[[float], float]


def element(name: str, *inside: str | Markup, **attributes: object) -> Markup:
    """One SVG element; whatever is not markup already is escaped.

    Attributes that are None are left out. An underscore stands for a hyphen, and a trailing one is dropped,
    so that Python's reserved words can be attributes. Numbers are rounded to a tenth of a pixel.
    """
    written = Markup("").join(
        Markup(' {}="{}"').format(key.rstrip("_").replace("_", "-"), _number(value))
        for key, value in attributes.items()
        if value is not None
    )
    return Markup("<{0}{1}>{2}</{0}>").format(Markup(name), written, joined(inside))  # noqa: S704


def joined(parts: Sequence[str | Markup]) -> Markup:
    """Parts one after the other, escaped where they are not markup."""
    return Markup("").join(escape(part) for part in parts)


def _number(value: object) -> str:
    return f"{value:.1f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def linear(low: float, high: float, start: float, end: float) -> Scale:
    """A scale that takes `low … high` to `start … end` pixels."""
    span = (high - low) or 1.0
    return lambda value: start + (value - low) / span * (end - start)


def logarithmic(low: float, high: float, start: float, end: float) -> Scale:
    """The same, even in ratios."""
    inner = linear(math.log(low), math.log(high), start, end)
    return lambda value: inner(math.log(value))


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers within `low … high`: steps of 1, 2 or 5 times a power of ten."""
    if not high > low:
        return [low]
    raw = (high - low) / about
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [round(k * step, 10) for k in range(first, math.floor(high / step + 1e-9) + 1)]


def path(xs: Sequence[float], ys: Sequence[float]) -> str:
    """A line through points, in pixels."""
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in zip(xs, ys, strict=True))


@dataclass(frozen=True, slots=True)
class Frame:
    """The drawing area of a chart, in pixels.

    Attributes:
        name: Unique within the page.
        width: Of all.
        height: Of all.
        left: Margin for the labels of the vertical axis.
        right: Margin.
        top: Margin.
        bottom: Margin for the labels of the horizontal axis.
    """

    name: str
    width: float = 400.0
    height: float = 256.0
    left: float = 46.0
    right: float = 16.0
    top: float = 28.0
    bottom: float = 44.0

    @property
    def x_end(self) -> float:
        """Right end of the drawing area."""
        return self.width - self.right

    @property
    def y_end(self) -> float:
        """Lower end of the drawing area."""
        return self.height - self.bottom

    def x_axis(self, at: Sequence[tuple[float, str]], title: str) -> Markup:
        """Labels below, those left out that would touch the one before."""
        marks, free = [], -math.inf
        for x, label in at:
            half = 3.6 * len(label)
            if x - half < free:
                continue
            free = x + half + 6
            marks.append(element("text", label, x=x, y=self.y_end + 17, class_="tick middle"))
        middle = (self.left + self.x_end) / 2
        marks.append(element("text", title, x=middle, y=self.y_end + 37, class_="axis middle"))
        base = element("path", d=f"M{self.left:.1f} {self.y_end:.1f}H{self.x_end:.1f}", class_="base")
        return joined([base, *marks])

    def y_axis(self, at: Sequence[tuple[float, str]], title: str) -> Markup:
        """Labels on the left with a grid line each; the title stands above them."""
        marks = [element("text", title, x=2.0, y=self.top - 14, class_="axis")]
        for y, label in at:
            marks.append(element("path", d=f"M{self.left:.1f} {y:.1f}H{self.x_end:.1f}", class_="grid"))
            marks.append(element("text", label, x=self.left - 8, y=y + 4, class_="tick end"))
        return joined(marks)

    def drawing(self, title: str, description: str, *parts: Markup) -> Markup:
        """The finished chart, with what a screen reader says of it."""
        ids = f"{self.name}-title", f"{self.name}-text"
        return element(
            "svg",
            element("title", title, id=ids[0]),
            element("desc", description, id=ids[1]),
            *parts,
            viewBox=f"0 0 {self.width:g} {self.height:g}",
            role="img",
            aria_labelledby=" ".join(ids),
        )


def legend(*entries: tuple[str, str]) -> Markup:
    """A line of HTML with a sample of each line, bar or ring and its name.

    Args:
        entries: Style class and name of each.
    """
    parts = []
    for style, name in entries:
        if style.startswith("bar"):
            sample = element("rect", x=5, y=1, width=10, height=10, class_=style)
        elif style.startswith("ring"):
            sample = element("circle", cx=10, cy=6, r=4, class_=style)
        else:
            sample = element("path", d="M1 6h18", class_=style)
        drawn = element("svg", sample, viewBox="0 0 20 12", width=20, height=12, aria_hidden="true")
        parts.append(element("span", drawn, name))
    return element("p", *parts, class_="legend")

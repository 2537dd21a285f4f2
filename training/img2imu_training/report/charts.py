"""The charts of a report. Each describes itself to a screen reader; its numbers are in a table beside it."""

from __future__ import annotations

import numpy as np
from markupsafe import Markup

from img2imu_training.report.contents import Budget, Calibration, Floats, Rejection, TrainingCurve
from img2imu_training.report.svg import (
    Frame,
    Scale,
    element,
    joined,
    legend,
    linear,
    logarithmic,
    path,
    ticks,
)

POINTS = 160
"""Points of a curve on the page; more are averaged, since nobody can see them."""

BINS = 36
"""Bars of a histogram."""


def groups(scores: Floats, names: tuple[str, ...], chance: float) -> Markup:
    """A dot for each held-out group on a line from 0 to 1, with their mean and what guessing would get."""
    frame = Frame("groups", height=112, left=14, top=30, bottom=34)
    x = linear(0, 1, frame.left, frame.x_end)
    line = (frame.top + frame.y_end) / 2
    mean = float(np.mean(scores))
    spread = float(np.std(scores, ddof=1)) if len(scores) > 1 else 0.0
    parts = [
        frame.x_axis([(x(t), f"{t:g}") for t in ticks(0, 1)], ""),
        element("rect", x=x(0), y=line - 1, width=x(1) - x(0), height=2, class_="track"),
        element(
            "rect",
            x=x(max(0, mean - spread)),
            y=line - 13,
            width=x(min(1, mean + spread)) - x(max(0, mean - spread)),
            height=26,
            rx=6,
            class_="band",
        ),
        element("path", d=f"M{x(chance):.1f} {line - 13:.1f}v26", class_="dashed"),
        element("text", "chance", x=x(chance), y=line - 20, class_="tick middle"),
        element("path", d=f"M{x(mean):.1f} {line - 16:.1f}v32", class_="line one"),
    ]
    if abs(mean - chance) > 0.2:
        parts.append(element("text", "mean", x=x(mean), y=line - 20, class_="tick middle"))
    for score, name in zip(scores, names, strict=True):
        dot = element("title", f"{name}: {score:.2f}")
        parts.append(element("circle", dot, cx=x(score), cy=line, r=6, class_="dot one"))
    return frame.drawing(
        "Macro-F1 of each held-out group",
        f"{len(scores)} groups from {scores.min():.2f} to {scores.max():.2f}, mean {mean:.2f}; "
        f"guessing gets {chance:.2f}.",
        *parts,
    )


def reliability(calibration: Calibration) -> Markup:
    """Accuracy over confidence: on the diagonal, the network is as sure as it is right."""
    frame = Frame("reliability", height=318, bottom=96)
    after = calibration.after
    bins = len(after.count)
    x, y = linear(0, 1, frame.left, frame.x_end), linear(0, 1, frame.y_end, frame.top)
    parts = [
        frame.y_axis([(y(t), f"{t:.0%}") for t in ticks(0, 1)], "was right"),
        _bars(np.linspace(0, 1, bins + 1), np.nan_to_num(after.accuracy), x, y, "bar one"),
        element("path", d=path([x(0), x(1)], [y(0), y(1)]), class_="dashed"),
    ]
    entries = [("bar one", "calibrated"), ("dashed", "ideal")]
    if calibration.before is not None:
        filled = calibration.before.count > 0
        for sure, right in zip(
            calibration.before.confidence[filled], calibration.before.accuracy[filled], strict=True
        ):
            parts.append(element("circle", cx=x(sure), cy=y(right), r=3.6, class_="ring two"))
        entries.insert(1, ("ring two", "before"))
    low = Frame("share", height=frame.height, top=frame.y_end + 8, bottom=44)
    share = after.count / max(1, after.count.sum())
    height = linear(0, float(share.max()) or 1.0, low.y_end, low.top)
    parts += [
        _bars(np.linspace(0, 1, bins + 1), share, x, height, "bar quiet"),
        low.x_axis([(x(t), f"{t:.0%}") for t in ticks(0, 1)], "was this sure"),
        element("text", "share of", x=low.left - 8, y=low.top + 16, class_="small end"),
        element("text", "windows", x=low.left - 8, y=low.top + 28, class_="small end"),
    ]
    return legend(*entries) + frame.drawing(
        "Confidence against accuracy",
        f"Expected calibration error {after.error:.1%} with temperature {after.temperature:.2f}.",
        *parts,
    )


def distances(rejection: Rejection) -> Markup:
    """How far windows of known classes lie from them, and beyond what distance they are called unknown."""
    frame = Frame("distances")
    known, unknown = rejection.known, rejection.unknown
    shown = [known] if unknown is None else [known, unknown]
    end = max(rejection.threshold * 1.25, *(float(np.quantile(values, 0.995)) for values in shown))
    edges = np.linspace(0, end, BINS + 1)
    heights = [_share(values, edges) for values in shown]
    top = max(float(h.max()) for h in heights)
    x = linear(0, end, frame.left, frame.x_end)
    y = linear(0, top * 1.08, frame.y_end, frame.top)
    parts = [
        frame.y_axis([(y(t), f"{t:.0%}") for t in ticks(0, top, 4)], "share of windows"),
        _bars(edges, heights[0], x, y, "bar one"),
        *([] if unknown is None else [_bars(edges, heights[1], x, y, "bar two")]),
        frame.x_axis([(x(t), f"{t:g}") for t in ticks(0, end)], "distance from the nearest class"),
    ]
    at = x(rejection.threshold)
    room = frame.x_end - at > 130
    parts += [
        element("path", d=f"M{at:.1f} {frame.top:.1f}V{frame.y_end:.1f}", class_="limit"),
        element(
            "text",
            f"unknown beyond {rejection.threshold:.2f}",
            x=at + 7 if room else at - 7,
            y=frame.top + 12,
            class_="tick" if room else "tick end",
        ),
    ]
    entries = [("bar one", "known"), ("bar two", "to be rejected")][: len(shown)]
    return legend(*entries) + frame.drawing(
        "Distances and the threshold of rejection",
        f"{rejection.false_alarm:.1%} of the windows of known classes lie beyond it.",
        *parts,
    )


def budget(found: Budget, classes: tuple[str, ...], gaining: int | None) -> Markup:
    """Macro-F1 over labelled windows per class, on an axis even in ratios.

    Args:
        found: The scores.
        classes: Names of the classes.
        gaining: The class to show in colour among the others.
    """
    frame = Frame("budget", height=280)
    labels = found.labels.astype(np.float64)
    x = logarithmic(labels[0], max(labels[-1], labels[0] * 1.01), frame.left + 10, frame.x_end - 10)
    y = linear(0, 1, frame.y_end, frame.top)
    xs = [x(label) for label in labels]
    mean = found.scores.mean(axis=1)
    spread = found.scores.std(axis=1, ddof=1) if found.scores.shape[1] > 1 else np.zeros(len(mean))
    parts = [frame.y_axis([(y(t), f"{t:g}") for t in ticks(0, 1)], "F1")]
    entries = [("line one", "macro-F1")]
    if found.by_class is not None:
        for number in range(len(classes)):
            line = path(xs, [y(v) for v in found.by_class[:, number]])
            style = "line two" if number == gaining else "line faint"
            parts.append(element("path", element("title", classes[number]), d=line, class_=style))
        entries.append(("line faint", "each class"))
        if gaining is not None:
            entries.append(("line two", classes[gaining]))
    band_x = [*xs, *reversed(xs)]
    upper, lower = np.minimum(mean + spread, 1), np.maximum(mean - spread, 0)
    band_y = [y(v) for v in [*upper, *reversed(lower)]]
    parts += [
        element("path", d=path(band_x, band_y) + "Z", class_="band"),
        element("path", d=path(xs, [y(v) for v in mean]), class_="line one"),
        *(element("circle", cx=a, cy=y(v), r=4, class_="dot one") for a, v in zip(xs, mean, strict=True)),
        frame.x_axis(
            [(a, str(n)) for a, n in zip(xs, found.labels, strict=True)], "labelled windows per class"
        ),
    ]
    return legend(*entries) + frame.drawing(
        "Score against labels",
        f"Macro-F1 from {mean[0]:.2f} with {found.labels[0]} labelled windows per class "
        f"to {mean[-1]:.2f} with {found.labels[-1]}.",
        *parts,
    )


def loss(curve: TrainingCurve) -> Markup:
    """Loss of training, and of validation where there is one, over the steps."""
    frame = Frame("loss")
    steps, values = _thinned(curve.steps, curve.loss)
    seen = [values] if curve.validation_loss is None else [values, curve.validation_loss]
    top = float(np.quantile(np.concatenate(seen), 0.995)) * 1.05
    x = linear(0, float(curve.steps[-1]), frame.left, frame.x_end)
    y = linear(0, top, frame.y_end, frame.top)
    parts = [
        frame.y_axis([(y(t), f"{t:g}") for t in ticks(0, top, 4)], "loss"),
        frame.x_axis([(x(t), f"{t:g}") for t in ticks(0, float(curve.steps[-1]))], "step"),
        element("path", d=path([x(s) for s in steps], [y(min(v, top)) for v in values]), class_="line one"),
    ]
    entries = [("line one", "training")]
    if curve.validation_loss is not None:
        shown = [y(min(v, top)) for v in curve.validation_loss]
        parts.append(element("path", d=path([x(s) for s in curve.checks], shown), class_="line two"))
        entries.append(("line two", "validation"))
    parts.append(_chosen(curve, frame, x))
    text = f"Training loss from {values[0]:.2f} to {values[-1]:.2f} in {curve.steps[-1]} steps."
    return legend(*entries) + frame.drawing("Course of the loss", text, *parts)


def validation(curve: TrainingCurve) -> Markup:
    """Macro-F1 on the validation windows over the steps."""
    if curve.validation_score is None:
        raise ValueError("the curve has no validation score")
    frame = Frame("validation")
    x = linear(0, float(curve.steps[-1]), frame.left, frame.x_end)
    y = linear(0, 1, frame.y_end, frame.top)
    line = path([x(s) for s in curve.checks], [y(v) for v in curve.validation_score])
    return legend(("line two", "validation")) + frame.drawing(
        "Course of the validation score",
        f"Best macro-F1 {curve.validation_score.max():.2f}.",
        frame.y_axis([(y(t), f"{t:g}") for t in ticks(0, 1)], "macro-F1"),
        frame.x_axis([(x(t), f"{t:g}") for t in ticks(0, float(curve.steps[-1]))], "step"),
        element("path", d=line, class_="line two"),
        _chosen(curve, frame, x),
    )


def shortened(name: str, length: int) -> str:
    """A name cut to a length, with an ellipsis in the middle: names of one family differ at their ends."""
    if len(name) <= length:
        return name
    end = (length - 1) // 2
    return name[: length - 1 - end].rstrip() + "…" + name[-end:].lstrip()


def _bars(edges: Floats, heights: Floats, x: Scale, y: Scale, style: str) -> Markup:
    foot = y(0)
    gap = 1.0
    return joined(
        [
            element(
                "rect",
                x=x(a) + gap / 2,
                y=y(h),
                width=max(x(b) - x(a) - gap, 0.5),
                height=foot - y(h),
                class_=style,
            )
            for a, b, h in zip(edges[:-1], edges[1:], heights, strict=True)
            if h > 0
        ]
    )


def _share(values: Floats, edges: Floats) -> Floats:
    """Share of the values in each bin; those beyond the end are in the last."""
    counts, _ = np.histogram(np.minimum(values, edges[-1]), edges)
    return counts / max(1, len(values))


def _thinned(steps: np.ndarray, values: Floats) -> tuple[Floats, Floats]:
    """A curve averaged down to what can be seen."""
    parts = min(POINTS, len(steps))
    means = [(float(s.mean()), float(v.mean())) for s, v in zip(*_split(steps, values, parts), strict=True)]
    return np.array([s for s, _ in means]), np.array([v for _, v in means])


def _split(steps: np.ndarray, values: Floats, parts: int) -> tuple[list[np.ndarray], list[Floats]]:
    return np.array_split(steps.astype(np.float64), parts), np.array_split(values, parts)


def _chosen(curve: TrainingCurve, frame: Frame, x: Scale) -> Markup:
    if curve.chosen is None:
        return Markup("")
    at = x(curve.chosen)
    room = frame.x_end - at > 90
    label = element(
        "text",
        f"kept: step {curve.chosen}",
        x=at + 7 if room else at - 7,
        y=frame.top + 12,
        class_="tick" if room else "tick end",
    )
    return joined([element("path", d=f"M{at:.1f} {frame.top:.1f}V{frame.y_end:.1f}", class_="limit"), label])

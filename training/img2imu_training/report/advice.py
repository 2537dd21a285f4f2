"""What to do next, read off a report's numbers. Each piece of advice names the number that it rests on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from img2imu_training.report.contents import Budget, Report
from img2imu_training.report.measures import per_class

WEAK = 0.8
"""Recall below which a class deserves attention."""

CONFUSED = 0.1
"""Share of a class' windows called one other class, above which the pair deserves attention."""

STEEP = 0.01
"""Gain in macro-F1 from the last doubling of the labels, above which more labels are worth their work."""

DISTRUST = 0.08
"""Expected calibration error above which a confidence should not be shown to anyone."""

APART = 0.2
"""Difference in macro-F1 of the best and the worst held-out group that says the groups are not alike."""

FEW = 5
"""Groups below which the spread says little."""


@dataclass(frozen=True, slots=True)
class Advice:
    """One thing to do.

    Attributes:
        title: What, in a few words.
        text: Why, and how.
    """

    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Pair:
    """A class that is taken for another.

    Attributes:
        truth: What it was.
        said: What it was called.
        share: Of the true class' windows, 0 to 1.
    """

    truth: int
    said: int
    share: float


def confused(report: Report) -> list[Pair]:
    """Pairs with more than `CONFUSED` of a class' windows, the most confused first."""
    support = np.maximum(report.confusion.sum(axis=1, keepdims=True), 1)
    shares = report.confusion / support
    np.fill_diagonal(shares, 0)
    found = [Pair(int(t), int(s), float(shares[t, s])) for t, s in np.argwhere(shares > CONFUSED)]
    return sorted(found, key=lambda pair: -pair.share)


def middle(budget: Budget) -> int:
    """The point from which a class' gain is counted: what came before says little about more labels."""
    return (len(budget.labels) - 1) // 2


def gaining(budget: Budget) -> int | None:
    """The class whose F1 grew most from the `middle` on; None if it is not known or none grew."""
    if budget.by_class is None or len(budget.labels) < 2:
        return None
    gain = budget.by_class[-1] - budget.by_class[middle(budget)]
    return int(gain.argmax()) if gain.max() > 0 else None


def doubled(budget: Budget) -> int:
    """The last point with at most half of all labels; the first where none has as few.

    All labels may be hardly more than the last budget, and a step from 10 to 11 tells of luck alone.
    """
    return max(0, int(np.sum(2 * budget.labels <= budget.labels[-1])) - 1)


def slope(budget: Budget) -> float:
    """Gain in macro-F1 for each doubling of the labels, from `doubled` on."""
    mean, start = budget.scores.mean(axis=1), doubled(budget)
    doublings = np.log2(budget.labels[-1] / budget.labels[start])
    return float((mean[-1] - mean[start]) / doublings)


def advise(report: Report) -> list[Advice]:
    """The list, most urgent first; never empty."""
    found = _about_classes(report)
    if report.budget is not None and len(report.budget.labels) > 1:
        found.append(_about_labels(report, report.budget))
    found += _about_groups(report)
    if report.calibration is not None and report.calibration.after.error > DISTRUST:
        error = report.calibration.after.error
        text = (
            f"On average it is {error:.0%} off what comes true. Use the label, and do not show the "
            "percentage; more held-out people make the temperature surer."
        )
        found.append(Advice("Do not trust the confidence yet", text))
    if report.training is not None and report.training.chosen == int(report.training.steps[-1]):
        text = "The best step of training was the last one: it had not yet levelled off."
        found.append(Advice("Train for more steps", text))
    if not found:
        text = (
            "No class, group or figure stands out. Try it on the device with someone who is not in the data."
        )
        found.append(Advice("Put it to the test", text))
    return found


def _about_classes(report: Report) -> list[Advice]:
    scores = per_class(report.confusion)
    there = np.flatnonzero(scores.support)
    absent = [name for name, n in zip(report.classes, scores.support, strict=True) if n == 0]
    found = []
    if absent:
        text = f"No held-out window shows {', '.join(map(_quoted, absent))}, so that nothing is known of it. "
        found.append(Advice("Record what is missing", text + f"Record it with more {report.group}."))
    if not len(there):
        return found
    weak = int(there[scores.recall[there].argmin()])
    pairs = confused(report)
    if scores.recall[weak] < WEAK:
        text = f"Only {scores.recall[weak]:.0%} of its {scores.support[weak]:,} windows were recognised"
        taken = next((pair for pair in pairs if pair.truth == weak), None)
        text += f"; {taken.share:.0%} were taken for {_quoted(report.classes[taken.said])}." if taken else "."
        text += " Record it in the ways in which people really do it, and look at its pictures below."
        found.append(Advice(f"Record more of {_quoted(report.classes[weak])}", text))
    seen: set[frozenset[int]] = set()
    for pair in pairs:
        key = frozenset((pair.truth, pair.said))
        if key in seen or len(seen) == 2:
            continue
        seen.add(key)
        truth, said = _quoted(report.classes[pair.truth]), _quoted(report.classes[pair.said])
        back = next((p for p in pairs if (p.truth, p.said) == (pair.said, pair.truth)), None)
        text = f"{pair.share:.0%} of the windows of {truth} were taken for {said}"
        text += f", and {back.share:.0%} the other way. " if back else ". "
        text += (
            "See whether the labels change at the right moment; if the two look alike to the sensor, "
            "another sensor or another place on the body may part them, or one class hold both."
        )
        found.append(Advice(f"Tell {truth} and {said} apart", text))
    return found


def _about_labels(report: Report, budget: Budget) -> Advice:
    gain = slope(budget)
    if gain > STEEP:
        text = f"Twice as many labelled windows are worth about +{gain:.2f} macro-F1"
        most = gaining(budget)
        text += f"; {_quoted(report.classes[most])} gains most." if most is not None else "."
        return Advice("Label more windows", text)
    text = (
        f"From {budget.labels[doubled(budget)]} to {budget.labels[-1]} windows per class the score changed "
        f"by {round(gain, 2) + 0.0:+.2f} for each doubling. Other people and other situations will help more."
    )
    return Advice("More labels of the same kind will not help", text)


def _about_groups(report: Report) -> list[Advice]:
    found = []
    spread = float(report.scores.max() - report.scores.min())
    if len(report.scores) > 1 and spread > APART:
        worst = int(report.scores.argmin())
        text = (
            f"{_quoted(report.group_names[worst])} got {report.scores[worst]:.2f}, the best group "
            f"{report.scores.max():.2f}. See what is different there (how the sensor is worn, which arm, how "
            f"briskly), and record more {report.group} like that."
        )
        found.append(Advice("Find out who is different", text))
    if len(report.scores) < FEW:
        text = (
            f"{len(report.scores)} held-out groups say little about how much the score varies; more "
            f"{report.group} make it firmer."
        )
        found.append(Advice("Take the spread with caution", text))
    return found


def _quoted(name: str) -> str:
    return f"“{name}”"

"""From a report's contents to one HTML file that needs nothing else: no script, no font, no address."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from img2imu_training.report import charts
from img2imu_training.report.advice import advise, gaining, middle
from img2imu_training.report.contents import Report, TrainingCurve
from img2imu_training.report.measures import per_class
from img2imu_training.report.pictures import spectrogram


def write(report: Report, path: Path) -> None:
    """Write a report as HTML.

    Args:
        report: What goes in.
        path: The file; its folder is made where it is missing.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render(report), encoding="utf-8")


def render(report: Report) -> str:
    """The HTML of a report. Every name in it is escaped; the same contents give the same bytes."""
    environment = Environment(
        loader=PackageLoader("img2imu_training.report", "template"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["percent"] = _percent
    environment.filters["number"] = _number
    environment.filters["short"] = charts.shortened
    environment.filters["breakable"] = _breakable
    style = (files(__package__) / "template" / "style.css").read_text(encoding="utf-8")
    return environment.get_template("report.html").render(
        report=report,
        style=Markup(style),  # noqa: S704 - ours
        mean=float(np.mean(report.scores)),
        spread=float(np.std(report.scores, ddof=1)) if len(report.scores) > 1 else None,
        accuracy=float(np.trace(report.confusion) / max(1, report.confusion.sum())),
        shares=report.confusion / np.maximum(report.confusion.sum(axis=1, keepdims=True), 1),
        scores=per_class(report.confusion),
        order=np.argsort(-per_class(report.confusion).f1, kind="stable").tolist(),
        advice=advise(report),
        gaining=gaining(report.budget) if report.budget else None,
        gains=_gains(report),
        middle=int(report.budget.labels[middle(report.budget)]) if report.budget else None,
        charts=charts,
        spectrogram=spectrogram,
        examples=_by_class(report),
        tables=_tables(report),
    )


def _by_class(report: Report) -> list[tuple[str, list[tuple[int, object]]]]:
    """The examples under the name of their class, each with its number on the page."""
    numbered = list(enumerate(report.examples))
    return [
        (name, [(i, example) for i, example in numbered if example.truth == label])
        for label, name in enumerate(report.classes)
        if any(example.truth == label for example in report.examples)
    ]


def _gains(report: Report) -> list[tuple[str, float, float]]:
    """Class, F1 in the middle and at the end of the budgets; the largest gain first."""
    if report.budget is None or report.budget.by_class is None or len(report.budget.labels) < 2:
        return []
    few, many = report.budget.by_class[middle(report.budget)], report.budget.by_class[-1]
    return [(report.classes[k], float(few[k]), float(many[k])) for k in np.argsort(few - many, kind="stable")]


def _tables(report: Report) -> dict[str, tuple[list[str], list[list[str]]]]:
    """Heads and rows of the tables behind the charts."""
    tables = {
        "groups": (
            ["held out", "macro-F1"],
            [[name, _number(score)] for name, score in zip(report.group_names, report.scores, strict=True)],
        )
    }
    if report.calibration is not None:
        after = report.calibration.after
        rows = zip(after.confidence, after.accuracy, after.count, strict=True)
        tables["calibration"] = (
            ["confidence", "was right", "windows"],
            [[_percent(sure), _percent(right), str(n)] for sure, right, n in rows if n],
        )
    if report.rejection is not None:
        alarms = report.rejection.false_alarms
        names = report.group_names if len(alarms) == len(report.group_names) else map(str, range(len(alarms)))
        tables["rejection"] = (
            ["held out", "false alarms"],
            [[name, f"{share:.1%}"] for name, share in zip(names, alarms, strict=True)],
        )
    if report.budget is not None:
        scores = report.budget.scores
        spread = np.std(scores, axis=1, ddof=1) if scores.shape[1] > 1 else np.full(len(scores), np.nan)
        points = zip(report.budget.labels, scores.mean(axis=1), spread, strict=True)
        tables["budget"] = (
            ["labels per class", "macro-F1", "standard deviation"],
            [[str(n), _number(mean), _number(by)] for n, mean, by in points],
        )
    if report.training is not None:
        tables["training"] = _training_table(report.training)
    return tables


def _training_table(curve: TrainingCurve) -> tuple[list[str], list[list[str]]]:
    """A row for each validation; without any, the loss at ten steps."""
    at = (
        curve.checks
        if len(curve.checks)
        else curve.steps[np.linspace(0, len(curve.steps) - 1, 10).astype(int)]
    )
    columns = [("step", [str(step) for step in at])]
    losses = curve.loss[np.searchsorted(curve.steps, at).clip(max=len(curve.steps) - 1)]
    columns.append(("training loss", [_number(value) for value in losses]))
    if curve.validation_loss is not None:
        columns.append(("validation loss", [_number(value) for value in curve.validation_loss]))
    if curve.validation_score is not None:
        columns.append(("macro-F1", [_number(value) for value in curve.validation_score]))
    return [name for name, _ in columns], [list(row) for row in zip(*(c for _, c in columns), strict=True)]


def _breakable(name: str) -> Markup:
    """A name that may go on in the next line after an underscore or a slash."""
    return escape(name).replace("_", Markup("_<wbr>")).replace("/", Markup("/<wbr>"))


def _percent(share: float) -> str:
    return "–" if np.isnan(share) else f"{share:.0%}"


def _number(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:.2f}"

"""What `img2imu export` prints: one line a file, then what changed for each class and each layer."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from img2imu_export.evidence import Evidence
from img2imu_export.pipeline import Export

_WIDE = 72
"""Columns from which on there is room for everything."""


def outcome(made: Sequence[Export], evidence: Evidence, width: int) -> Group:
    """All tables.

    Args:
        made: What was exported.
        evidence: What it was compared on.
        width: Columns of the terminal.
    """
    parts: list[Text | Table] = [Text(head(made, evidence)), Text(), _files(made, width)]
    rounded = [one for one in made if not one.target.exact and one.comparison]
    if rounded and rounded[0].comparison and rounded[0].comparison.class_f1:
        parts += [Text(), _classes(rounded, evidence)]
    if any(one.converted.layers for one in rounded):
        parts += [Text(), _layers([one for one in rounded if one.converted.layers])]
    return Group(*parts)


def head(made: Sequence[Export], evidence: Evidence) -> str:
    """On whom files were compared, and what times are relative to."""
    people = "kept out of" if evidence.strangers else "in"
    said = f"{len(evidence.samples)} windows of people {people} training ({', '.join(evidence.people)})"
    compared = [one for one in made if one.comparison]
    if not compared:
        return f"{said}; nothing here runs these files."
    first = compared[0].comparison
    if first and first.float_f1 is not None:
        said += f", on which the checkpoint's macro-F1 is {first.float_f1:.4f}"
    unit = next((one.name for one in compared if one.target.exact), "the fastest")
    return f"{said}. Times: one thread of this machine, relative to {unit}."


def _files(made: Sequence[Export], width: int) -> Table:
    table = Table(box=None, pad_edge=False)
    wide = width >= _WIDE
    table.add_column("file", no_wrap=True)
    errors = ["logit error:\nmax", "\nmean"] if wide else ["logit\nerror"]
    headings = [
        "graph\nkB",
        *errors,
        "same\nlabel",
        "macro-F1\npoints",
        "ms",
        *(["rel.\ntime"] if wide else []),
    ]
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    for one in made:
        c = one.comparison
        size = f"{len(one.converted.graph) / 1000:.0f}"
        if c is None:
            table.add_row(one.name, size, Text("not run", "dim"))
            continue
        lost = "" if c.f1 is None or c.float_f1 is None else _points(c.f1 - c.float_f1)
        mean = [f"{c.mean_error:.2g}"] if wide else []
        times = [f"{c.milliseconds:.3f}", *([f"{c.relative_time:.2f}"] if wide else [])]
        style = "red" if one.objections else ""
        agreed = f"{c.agreement:.2%}"
        table.add_row(one.name, size, f"{c.max_error:.2g}", *mean, agreed, lost, *times, style=style)
    return table


def _classes(rounded: Sequence[Export], evidence: Evidence) -> Table:
    table = _beside("F1 of a class: change in points", rounded)
    for k, label in enumerate(evidence.classes):
        cells = [
            _points(c.class_f1[k] - c.float_class_f1[k]) if c.class_windows[k] else "no window"
            for c in (one.comparison for one in rounded)
            if c
        ]
        table.add_row(label, *cells)
    return table


def _layers(rounded: Sequence[Export]) -> Table:
    table = _beside("layer: signal to quantisation noise in dB", rounded)
    names = list(dict.fromkeys(layer.name for one in rounded for layer in one.converted.layers))
    for name in names:
        cells = []
        for one in rounded:
            found = {layer.name: f"{layer.sqnr_db:.1f}" for layer in one.converted.layers}
            kept = name in one.options.keep_float
            cells.append(f"float {found[name]}" if kept and name in found else found.get(name, "–"))
        table.add_row(name, *cells)
    return table


def _beside(title: str, made: Sequence[Export]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column(title, overflow="fold", max_width=28)
    for one in made:
        table.add_column(one.name.replace("-", "\n", 1), justify="right", no_wrap=True)
    return table


def _points(change: float) -> str:
    points = round(100 * change, 2)
    return f"{points:+.2f}" if points else "0"


def show(console: Console, made: Sequence[Export], evidence: Evidence) -> None:
    """Print the tables and where the files are."""
    console.print(outcome(made, evidence, console.width))
    console.print()
    for one in made:
        for path in one.files:
            text = Text.assemble(("rejected " if one.objections else "wrote ", "bold"), str(path))
            console.print(text, soft_wrap=True, highlight=False)

"""Results as Markdown tables: a table for each budget, and how far our methods are ahead of the others."""

from __future__ import annotations

import math
from collections.abc import Sequence

from img2imu_training.benchmark.methods import Family
from img2imu_training.benchmark.summary import Cell, Difference, Scores

FAMILIES: dict[Family, str] = {
    "ours": "ours",
    "scratch": "no pre-training",
    "images": "labelled images",
    "sensor": "other sensors",
    "classical": "classical",
}
"""What tables and plots call what a method starts from, in the order of legends."""


def tables(summary: Sequence[Scores]) -> str:
    """All tables of a benchmark, as a Markdown page."""
    parts = ["# Few labels", "", _reading(summary), ""]
    for scores in summary:
        parts += [f"## {budget_name(scores.budget)}", "", score_table(scores), ""]
        if ahead := difference_table(scores):
            parts += [ahead, ""]
    return "\n".join(parts)


def budget_name(budget: int | None) -> str:
    """A budget in words."""
    if budget is None:
        return "All labelled windows"
    return f"{budget} labelled window{'s' if budget > 1 else ''} per class"


def score_table(scores: Scores) -> str:
    """Methods × tasks with their means; the best value of each column is bold, a method without any left out.

    The mean over all tasks is told for methods that have them all; where one has not, a second mean is taken
    over the tasks that every method has.
    """
    columns: dict[str, tuple[str, ...]] = {task: (task,) for task in scores.tasks}
    columns["**mean**"] = scores.tasks
    if 0 < len(scores.shared) < len(scores.tasks):
        left_out = [task for task in scores.tasks if task not in scores.shared]
        columns[f"**mean** without {', '.join(left_out)}"] = scores.shared
    cells = [
        [scores.over(method, tasks) for tasks in columns.values()] for method in range(len(scores.methods))
    ]
    best = [max((cell.mean for cell in column if cell), default=0.0) for column in zip(*cells, strict=True)]
    most = max((cell.seeds for row in cells for cell in row if cell), default=0)
    rows = [
        [_name(scores, method), FAMILIES[scores.families[method]]]
        + [_written(cell, top, most) for cell, top in zip(cells[method], best, strict=True)]
        for method in range(len(scores.methods))
        if any(cells[method])
    ]
    return markdown(["method", "starts from", *columns], rows, numbers_from=2)


def difference_table(scores: Scores) -> str:
    """Each of our methods against the best of every other family; empty where there is nothing to compare."""
    rows = []
    for ours in (number for number, family in enumerate(scores.families) if family == "ours"):
        for family, words in FAMILIES.items():
            other = None if family == "ours" else scores.best(family)
            if other is not None and (ahead := scores.difference(ours, other)):
                rows.append(
                    [_name(scores, ours), f"{scores.methods[other]} ({words})", *_difference_cells(ahead)]
                )
    if not rows:
        return ""
    return markdown(["ours", "best of the others", "ahead by", "95 % interval", "wins"], rows, numbers_from=2)


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]], numbers_from: int) -> str:
    """A Markdown table; columns from a number on are aligned right."""
    aligned = ["---" if number < numbers_from else "---:" for number in range(len(header))]
    return "\n".join("| " + " | ".join(line) + " |" for line in (header, aligned, *rows))


def _reading(summary: Sequence[Scores]) -> str:
    seeds = max((len(scores.seeds) for scores in summary), default=0)
    draws = f"{seeds} draw{'s' * (seeds > 1)}"
    return (
        f"Macro-F1 in %, mean ± standard deviation over {draws} of people and windows; half of the people "
        "teach, windows of the other half are tested. Means over tasks are taken within each draw first. The "
        "best value of a column is bold. A number in brackets: how many draws, where some lack. “Ahead by”: "
        "percentage points, over all tasks and draws that both methods have, with a bootstrap interval over "
        "them; the best of the others is chosen by its mean on these very tests, in its favour."
    )


def _name(scores: Scores, method: int) -> str:
    name = scores.methods[method]
    return f"**{name}**" if scores.families[method] == "ours" else name


def _written(cell: Cell | None, best: float, most: int) -> str:
    if cell is None:
        return "–"
    mean = f"{100 * cell.mean:.1f}"
    text = f"**{mean}**" if mean == f"{100 * best:.1f}" else mean
    if not math.isnan(cell.spread):
        text += f" ± {100 * cell.spread:.1f}"
    return text if cell.seeds == most else f"{text} ({cell.seeds})"


def _difference_cells(ahead: Difference) -> list[str]:
    low, high = (_signed(value) for value in (ahead.low, ahead.high))
    return [_signed(ahead.mean), f"{low} to {high}", f"{ahead.wins} of {ahead.pairs}"]


def _signed(value: float) -> str:
    return f"{100 * value:+.1f}".replace("-", "−")

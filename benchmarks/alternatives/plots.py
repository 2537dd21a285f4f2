"""All figures of a run, drawn into files; the same results give the same bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from benchmarks.alternatives import curves, dots
from benchmarks.alternatives.results import Results
from benchmarks.alternatives.style import STYLE
from img2imu_edge.extras import extra


def save_plots(results: Results, folder: Path, suffixes: tuple[str, ...] = (".svg",)) -> list[Path]:
    """Draw all figures.

    Args:
        results: Of a run.
        folder: Where to put them.
        suffixes: Kinds of file.

    Raises:
        MissingExtraError: If matplotlib is not installed.
    """
    with extra("benchmark", "a plot"):
        import matplotlib as mpl
    folder.mkdir(parents=True, exist_ok=True)
    figures = {
        "cost": dots.cost,
        "start": dots.start,
        "split": curves.split,
        "fleet": curves.fleet,
        "growth": curves.growth,
    }
    made = []
    with mpl.rc_context(cast(Any, STYLE)):
        for name, draw in figures.items():
            figure = draw(results)
            for suffix in suffixes:
                made.append(folder / f"{name}{suffix}")
                dated = {"metadata": {"Date": None}} if suffix == ".svg" else {"dpi": 110}
                figure.savefig(made[-1], facecolor="white", **cast(Any, dated))
    return made

"""The files that tell a benchmark: tables as Markdown, curves as SVG and PNG."""

from __future__ import annotations

from pathlib import Path

from img2imu_edge.errors import BenchmarkError
from img2imu_training.benchmark.plots import save_curves
from img2imu_training.benchmark.results import read_results
from img2imu_training.benchmark.summary import summarise
from img2imu_training.benchmark.tables import tables


def write_report(results: Path, folder: Path, axes: int = 3) -> tuple[Path, ...]:
    """Write the tables and curves of all results in a file.

    Args:
        results: JSON lines.
        folder: Where to; made when missing.
        axes: Which results: 3, or 6 with the gyroscope.

    Returns:
        What was written.

    Raises:
        BenchmarkError: If the file cannot be read or has no scores.
        MissingExtraError: If matplotlib is not installed.
    """
    summary = summarise(read_results(results).values(), axes)
    if not summary:
        raise BenchmarkError(f"{results} has no scores with {axes} axes; run the benchmark first")
    folder.mkdir(parents=True, exist_ok=True)
    page = folder / "few-label.md"
    page.write_text(tables(summary), encoding="utf-8")
    return page, *save_curves(summary, folder / "few-label")

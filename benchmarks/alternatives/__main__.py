"""`python -m benchmarks.alternatives`: a decision by us, and by what one would take instead, side by side.

Writes figures as JSON, plots as SVG, and the page that shows both. Needs a checkout on Linux, and:
pip install '.[bench,benchmark,export]'
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.console import Console
from rich.markdown import Markdown

from benchmarks.alternatives.files import CACHE, make_files
from benchmarks.alternatives.page import make_page, tables
from benchmarks.alternatives.plots import save_plots
from benchmarks.alternatives.results import Effort, Results, run
from img2imu_edge.errors import Img2ImuError

_QUICK = Effort(turns=5, decisions=10, starts=1, split=100, fleet=3, growth=4, sizes=(1, 16, 256))


def main() -> int:
    """Measure, or read what was measured; then write what is asked for."""
    options = _parse()
    console = Console(stderr=True)
    try:
        results = Results.load(options.read) if options.read else _measure(options, console)
        figures = _figures(options.page) if options.page else options.output
        results.save(figures / "results.json")
        save_plots(results, figures)
        if options.page:
            options.page.write_text(make_page(results, figures.name), encoding="utf-8")
            console.print(f"wrote {options.page} and {figures}/")
    except Img2ImuError as error:
        console.print(f"error: {error}", style="bold red", markup=False)
        return 1
    _show(results)
    return 0


def _show(results: Results) -> None:
    """The tables, for a terminal or as Markdown."""
    told, console = tables(results), Console()
    for name in ("aims", "costs", "splits", "fleets", "growths", "floors", "installs"):
        table = f"{told[name]}\n"
        console.print(Markdown(table)) if console.is_terminal else print(table)


def _measure(options: argparse.Namespace, console: Console) -> Results:
    with console.status("beginning") as status:

        def tell(what: str) -> None:
            # A terminal shows one line that changes; a log gets them all.
            if console.is_terminal:
                status.update(what)
            else:
                console.print(what, markup=False)

        make_files(tell)
        return run(_QUICK if options.quick else Effort(), options.install, tell)


def _figures(page: Path) -> Path:
    """Where a page's figures lie: in a folder of its name beside it."""
    return page.with_suffix("")


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.alternatives", description=__doc__)
    parser.add_argument(
        "--page", type=Path, help="Markdown page to write; figures go to a folder of its name"
    )
    parser.add_argument(
        "--output", type=Path, default=CACHE, help="folder for figures where there is no page"
    )
    parser.add_argument(
        "--read", type=Path, metavar="JSON", help="results of an earlier run instead of a new one"
    )
    parser.add_argument(
        "--install", action="store_true", help="also install the wheel: a minute, and the network"
    )
    parser.add_argument("--quick", action="store_true", help="fewer turns: to see that everything runs")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())

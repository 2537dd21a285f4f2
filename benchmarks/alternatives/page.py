"""The page of a run: tables from results, words from a template."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.alternatives.aims import AIM_MS, aims
from benchmarks.alternatives.cost import Spread
from benchmarks.alternatives.files import engine_of, size_of
from benchmarks.alternatives.install import Installed
from benchmarks.alternatives.results import OURS, Results
from benchmarks.alternatives.split import STAGES
from benchmarks.alternatives.ways import find
from img2imu_edge.extras import extra

_TEMPLATE = Path(__file__).with_name("page.md.jinja")


def make_page(results: Results, folder: str) -> str:
    """The page in Markdown.

    Args:
        results: Of a run.
        folder: Where its figures lie, as seen from the page.

    Raises:
        MissingExtraError: If Jinja is not installed.
    """
    with extra("benchmark", "the page"):
        from jinja2 import Environment, StrictUndefined
    environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False)  # noqa: S701 - no HTML
    template = environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))
    return template.render(tables(results), folder=folder)


def tables(results: Results) -> dict[str, str | int]:
    """What the template's words stand around."""
    return {
        "machine": _machine(results),
        "aims": _table(
            ["", "aim", "measured", ""],
            [[aim.what, aim.wanted, aim.found, "met" if aim.met else "**not met**"] for aim in aims(results)],
            numbers=(2,),
        ),
        "left_out": ", ".join(f"{find(name).words} ({find(name).network})" for name in results.left_out),
        "turns": results.effort.turns,
        "starts": results.effort.starts,
        "costs": _costs(results),
        "splits": _splits(results),
        "fleets": _fleets(results),
        "growths": _growths(results),
        "peak": f"{results.peak.float32:.0f} billion multiply-adds a second in float32, "
        f"{results.peak.int8:.0f} in int8",
        "floors": _floors(results),
        "room": _room(results),
        "installs": _installs(results),
        "fresh": _fresh(results),
        "versions": _table(
            ["package", "version"], [[*pair] for pair in results.machine.versions.items()], words=2
        ),
    }


def _machine(results: Results) -> str:
    at = results.machine
    return (
        f"{at.begun} UTC, {at.processor}, {at.cores} core{'s' * (at.cores > 1)}, {at.memory_gb:g} GiB, "
        f"{at.system}, Python {at.python}. Load before the run: {at.load[0]:g}"
        + (". On a busy machine times are longer; what holds are ratios." if at.load[0] > _BUSY else ".")
    )


_BUSY = 0.5


def _costs(results: Results) -> str:
    ours = {cost.name: cost for cost in results.costs}.get("ours-tiny")
    rows = []
    for cost in results.costs:
        entry = find(cost.name)
        name = f"**{entry.words}**" if entry.kind == "ours" else entry.words
        ratio = f"{cost.cpu_us.median / ours.cpu_us.median:.1f}" if ours else "–"
        rows.append([name, entry.network, _spread(cost.cpu_us), ratio, f"{cost.wall_us.median:,.0f}"])
        rows[-1] += [f"{cost.memory_mb:.0f}", f"{cost.start_s.median:.2f}"]
    head = ["way", "network", "CPU, µs", "ratio", "time, µs", "memory, MB", "start, s"]
    return _table(head, rows, words=2)


def _splits(results: Results) -> str:
    rows = [
        [
            _network(split.network),
            *(f"{split.stages[name]:.0f}" for name in STAGES),
            f"**{split.whole.median:.0f}**",
            f"{split.front_end_share:.0%}",
            f"{split.packets.median:.0f}",
            f"{split.off_grid.median:.0f}",
            f"{split.off_grid_share:.0%}",
        ]
        for split in results.splits
    ]
    head = ["", "grid", "columns", "picture", "network", "decision", "rest", "whole", "front-end"]
    return _table([*head, "packets", "adrift", "front-end"], rows)


def _fleets(results: Results) -> str:
    """For each network: together, one by one, adrift."""
    networks = list(dict.fromkeys(fleet.network for fleet in results.fleets))
    sizes = list(dict.fromkeys(fleet.wearables for fleet in results.fleets))
    found = {(fleet.network, fleet.wearables): fleet for fleet in results.fleets}
    rows = []
    for size in sizes:
        fleets = [found[network, size] for network in networks]
        spreads = [(fleet.together, fleet.one_by_one, fleet.adrift) for fleet in fleets]
        rows.append([f"{size}", *(" · ".join(f"{s.median:,.0f}" for s in three) for three in spreads)])
    return _table(["wearables", *map(_network, networks)], rows, words=0)


def _growths(results: Results) -> str:
    rows = [
        [
            f"{g.window_s:g} s",
            f"{g.rate:g} Hz",
            *(_spread(spread) for spread in (g.streaming, g.anew, g.plain)),
            f"{g.plain.median / g.streaming.median:.0f} ×",
        ]
        for g in results.growths
    ]
    return _table(["window", "rate", "streaming", "anew", "SciPy and Pillow", "ratio"], rows, words=2)


def _floors(results: Results) -> str:
    works = {work.size: work for work in results.works}
    rows = []
    for split in results.splits:
        work = works[size_of(split.network)]
        floor = work.floor_us(results.peak, int8=True)
        measured = split.stages["network"] + split.stages["columns"]
        rows.append(
            [
                _network(split.network),
                f"{work.network / 1e6:.2f}",
                f"{work.front_end / 1e6:.2f}",
                f"{floor:.0f}",
                f"{measured:.0f}",
                f"{floor / measured:.0%}",
            ]
        )
    head = ["network", "millions, network", "millions, front-end", "floor, µs", "measured, µs", "share"]
    return _table(head, rows)


def _room(results: Results) -> str:
    """How much of the aim for `small` is left for anything but multiplications."""
    small = [work for work in results.works if work.size == "small"]
    if not small:
        return ""
    share = small[0].floor_us(results.peak, int8=True) / (1e3 * AIM_MS)
    return f" Of the {AIM_MS:g} ms that we aim for with `small`, the floor alone takes {share:.0%}."


def _installs(results: Results) -> str:
    """Ways that need the same share a row."""
    ways: dict[tuple[str, str], list[str]] = {}
    for name, size in results.needs.items():
        names = ways.setdefault((f"{size.total_mb:,.0f}", _largest(size)), [])
        if _installing(name) not in names:
            names.append(_installing(name))
    rows = [["; ".join(names), *told] for told, names in ways.items()]
    return _table(["way", "MB", "its largest packages"], rows, numbers=(1,))


def _installing(name: str) -> str:
    return "**what img2imu-edge needs**" if name == OURS else find(name).words


def _fresh(results: Results) -> str:
    if results.installed is None:
        return ""
    return (
        f"`pip install` of our wheel ({results.wheel_mb:g} MB) into a fresh environment: "
        f"**{results.installed.total_mb:,.0f} MB** with all that it needs; the largest: "
        f"{_largest(results.installed)}."
    )


def _largest(size: Installed) -> str:
    return ", ".join(f"{name} {megabytes:,.1f}" for name, megabytes in size.largest.items())


def _spread(spread: Spread) -> str:
    # Kept on one line: no-break space, and word joiners around the dash.
    return f"{spread.median:,.0f}\u00a0({spread.low:,.0f}\u2060–\u2060{spread.high:,.0f})"


def _network(network: str) -> str:
    return f"{size_of(network)}, {engine_of(network)}"


def _table(
    header: Sequence[str], rows: Sequence[Sequence[str]], words: int = 1, numbers: Sequence[int] = ()
) -> str:
    """A Markdown table; numbers stand on the right: the columns told, else all behind the first few."""
    right = numbers or range(words, len(header))
    aligned = ["---:" if column in right else "---" for column in range(len(header))]
    return "\n".join("| " + " | ".join(line) + " |" for line in (header, aligned, *rows))

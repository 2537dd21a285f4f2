"""What we aim for, beside what was measured."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.alternatives.files import engine_of, size_of
from benchmarks.alternatives.results import Results

AIM_MS = 0.5
"""Most milliseconds of CPU that a decision with `small` should take."""


@dataclass(frozen=True, slots=True)
class Aim:
    """One aim.

    Attributes:
        what: In words.
        wanted: The aim.
        found: What was measured.
        met: Whether that is as good.
    """

    what: str
    wanted: str
    found: str
    met: bool


def aims(results: Results) -> list[Aim]:
    """The aims of which the run has figures."""
    found = []
    for cost in results.costs:
        if cost.name in ("ours-small", "ours-small-tflite"):
            milliseconds = cost.cpu_us.median / 1e3
            found.append(
                Aim(
                    f"CPU of a decision, {_words(cost.name.removeprefix('ours-'))}",
                    f"≤ {AIM_MS:g} ms",
                    f"{milliseconds:.2f} ms",
                    milliseconds <= AIM_MS,
                )
            )
    for network in dict.fromkeys(fleet.network for fleet in results.fleets):
        largest = max((f for f in results.fleets if f.network == network), key=lambda f: f.wearables)
        pace, resampled = largest.together.median, largest.adrift.median
        found.append(
            Aim(
                f"wearables on a core, a decision a second, {_words(network)}",
                "≥ 1,000",
                f"{pace:,.0f}; {resampled:,.0f} adrift",
                min(pace, resampled) >= 1000,
            )
        )
    for split in results.splits:
        share, resampled = split.front_end_share, split.off_grid_share
        found.append(
            Aim(
                f"front-end's share of a decision, {_words(split.network)}",
                "≤ 10 %",
                f"{share:.0%}; {resampled:.0%} adrift".replace("%", " %"),
                max(share, resampled) <= 0.1,
            )
        )
    if results.installed is not None:
        total = results.installed.total_mb
        found.append(Aim("installed, with all that it needs", "≤ 120 MB", f"{total:,.0f} MB", total <= 120))
    return found


def _words(network: str) -> str:
    return f"`{size_of(network)}` int8, {engine_of(network)}"

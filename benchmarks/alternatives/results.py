"""One run: everything measured, in one JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks.alternatives.cost import Cost, measure, write_demo
from benchmarks.alternatives.files import CACHE, FILES
from benchmarks.alternatives.fleet import SIZES, Fleet, measure_fleet
from benchmarks.alternatives.floor import Peak, Work, count, measure_peak
from benchmarks.alternatives.growth import RATES, WINDOWS, Growth, measure_growth
from benchmarks.alternatives.install import Installed, fresh, needed
from benchmarks.alternatives.machine import Machine
from benchmarks.alternatives.split import Split, measure_split
from benchmarks.alternatives.ways import WAYS, possible
from img2imu_edge.errors import BenchmarkError
from img2imu_edge.strict import from_json

Tell = Callable[[str], None]

OURS = "ours"
"""Our package, among what is to be installed."""

NETWORKS = ("tiny-int8", "tiny-tflite", "small-int8", "small-tflite")
"""Of `FILES`: what is split, and what carries fleets."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is measured.

    Attributes:
        turns: Of each way.
        decisions: In a turn.
        starts: Fresh processes of each way.
        split: Decisions behind the medians of stages.
        fleet: Turns for each number of wearables.
        growth: Turns for each window and rate.
        sizes: Numbers of wearables.
    """

    turns: int = 15
    decisions: int = 20
    starts: int = 3
    split: int = 300
    fleet: int = 5
    growth: int = 10
    sizes: tuple[int, ...] = SIZES


@dataclass(frozen=True, slots=True)
class Results:
    """What a run found; the parts say what their figures are.

    Attributes:
        machine: Where.
        effort: How much was measured.
        costs: Of each way.
        splits: Of our decision.
        fleets: Wearables on one core.
        growths: Of front-ends.
        peak: The core's speed.
        works: What there is to compute.
        needs: What is to be installed for each way, by its name, and for `OURS`, without our own files.
        wheel_mb: Our wheel; None unless asked for.
        installed: Our wheel in a fresh environment; None unless asked for.
        left_out: Ways of which something is not installed.
    """

    machine: Machine
    effort: Effort
    costs: tuple[Cost, ...]
    splits: tuple[Split, ...]
    fleets: tuple[Fleet, ...]
    growths: tuple[Growth, ...]
    peak: Peak
    works: tuple[Work, ...]
    needs: dict[str, Installed] = field(default_factory=dict)
    wheel_mb: float | None = None
    installed: Installed | None = None
    left_out: tuple[str, ...] = ()

    def save(self, path: Path) -> None:
        """Write them."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Results:
        """Read them.

        Raises:
            BenchmarkError: If the file cannot be read, or holds no results of this version.
        """
        try:
            return from_json(cls, json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            raise BenchmarkError(f"no results of this version in {path}: {error}; measure again") from error


def run(effort: Effort, install: bool, tell: Tell = lambda what: None) -> Results:
    """Measure everything.

    Args:
        effort: How much.
        install: Whether to build the wheel and install it.
        tell: Told what is being done.
    """
    machine = Machine()
    ways = [entry for entry in WAYS if possible(entry)]
    networks = [network for network in NETWORKS if FILES[network].is_file()]
    costs = measure(ways, write_demo(CACHE / "demo.npz"), effort.turns, effort.decisions, effort.starts, tell)
    tell("our decision, stage by stage")
    splits = [measure_split(network, effort.split) for network in networks]
    fleets = measure_fleet(networks, effort.sizes, effort.fleet, tell=tell)
    tell("front-ends over window and rate")
    cases = [(window, 50.0) for window in WINDOWS] + [(5.0, rate) for rate in RATES if rate != 50.0]
    growths = [measure_growth(window, rate, effort.growth) for window, rate in cases]
    tell("the core's speed")
    peak, works = measure_peak(), (count("tiny"), count("small"))
    sizes = {OURS: needed(("img2imu-edge",))}
    sizes |= {entry.name: needed(("numpy", *entry.needs)) for entry in ways if entry.kind != "ours"}
    wheel, installed = None, None
    if install:
        tell("building the wheel, installing it")
        wheel, installed = fresh()
    machine.end()
    return Results(
        machine=machine,
        effort=effort,
        costs=tuple(costs),
        splits=tuple(splits),
        fleets=tuple(fleets),
        growths=tuple(growths),
        peak=peak,
        works=works,
        needs={name: size for name, size in sizes.items() if size is not None},
        wheel_mb=wheel,
        installed=installed,
        left_out=tuple(entry.name for entry in WAYS if entry not in ways),
    )

"""How many wearables one core carries: sessions of one model, one run of the network for what is due."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from benchmarks.alternatives.cost import Spread
from benchmarks.alternatives.files import FILES
from benchmarks.alternatives.ways import DRIFT
from img2imu_edge.model import Model, load_model
from img2imu_edge.recording import demo_recording, read_recording
from img2imu_edge.samples import SampleBlock
from img2imu_edge.session import Session, decide

SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
"""Wearables."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """So many wearables on one core.

    Attributes:
        network: One of `FILES`.
        wearables: How many.
        together: Decisions per second of CPU, with one run of the network for all, as the runner does it.
        one_by_one: With a run for each.
        adrift: Together, of devices whose clocks drift, so that their samples are resampled.
    """

    network: str
    wearables: int
    together: Spread
    one_by_one: Spread
    adrift: Spread


def measure_fleet(
    networks: Sequence[str],
    sizes: Sequence[int] = SIZES,
    turns: int = 5,
    least: int = 64,
    tell: Callable[[str], None] = lambda what: None,
) -> list[Fleet]:
    """Decisions per second of one core.

    Args:
        networks: Of `FILES`.
        sizes: Numbers of wearables.
        turns: For a median; the manners take turns.
        least: Decisions of a turn, at least.
        tell: Told what is being done.
    """
    found = []
    for network in networks:
        model = load_model(FILES[network])
        for size in sizes:
            tell(f"{size} wearables on {network}")
            crews = {
                "together": _Crew(model, size),
                "one_by_one": _Crew(model, size),
                "adrift": _Crew(model, size, DRIFT),
            }
            pace: dict[str, list[float]] = {name: [] for name in crews}
            rounds = -(-least // size)
            for _ in range(turns):
                for name, crew in crews.items():
                    begin, made = time.process_time(), 0
                    for _ in range(rounds):
                        made += crew.one_by_one() if name == "one_by_one" else crew.together()
                    pace[name].append(made / (time.process_time() - begin))
            found.append(Fleet(network, size, **{name: Spread.of(of) for name, of in pace.items()}))
    return found


class _Crew:
    """Sessions that all have their first window."""

    def __init__(self, model: Model, size: int, drift: float = 1.0) -> None:
        hop = model.card.input.hop_columns * model.plan.hop
        recording = read_recording(demo_recording())
        self._sessions = [Session(model, recording.rate, recording.channels) for _ in range(size)]
        adrift = replace(recording, times=recording.times * drift)
        self._blocks: Iterator[SampleBlock] = adrift.blocks(hop)
        # A hop more than a window: to resample, one has to wait for the samples after.
        for _ in range(-(-model.window_samples // hop) + 1):
            block = next(self._blocks)
            for session in self._sessions:
                session.take(block)

    def together(self) -> int:
        """A hop of everyone; returns how many decisions it was worth."""
        block = next(self._blocks)
        made = decide([(session, session.take(block)) for session in self._sessions])
        return sum(map(len, made))

    def one_by_one(self) -> int:
        """The same, one after the other."""
        block = next(self._blocks)
        return sum(len(session.push(block)) for session in self._sessions)

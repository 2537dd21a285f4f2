"""How many wearables one core carries: sessions of one model, one run of the network for what is due."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from benchmarks.alternatives.cost import Spread
from benchmarks.alternatives.files import FILES
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
    """

    network: str
    wearables: int
    together: Spread
    one_by_one: Spread


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
        turns: For a median; both manners take turns.
        least: Decisions of a turn, at least.
        tell: Told what is being done.
    """
    found = []
    for network in networks:
        model = load_model(FILES[network])
        for size in sizes:
            tell(f"{size} wearables on {network}")
            crews = {"together": _Crew(model, size), "one_by_one": _Crew(model, size)}
            pace: dict[str, list[float]] = {name: [] for name in crews}
            rounds = -(-least // size)
            for _ in range(turns):
                for name, crew in crews.items():
                    begin = time.process_time()
                    for _ in range(rounds):
                        crew.together() if name == "together" else crew.one_by_one()
                    pace[name].append(rounds * size / (time.process_time() - begin))
            found.append(Fleet(network, size, **{name: Spread.of(of) for name, of in pace.items()}))
    return found


class _Crew:
    """Sessions that all have their first window."""

    def __init__(self, model: Model, size: int) -> None:
        hop = model.card.input.hop_columns * model.plan.hop
        recording = read_recording(demo_recording())
        self._sessions = [Session(model, recording.rate, recording.channels) for _ in range(size)]
        self._blocks: Iterator[SampleBlock] = recording.blocks(hop)
        for _ in range(-(-model.window_samples // hop)):
            block = next(self._blocks)
            for session in self._sessions:
                session.take(block)

    def together(self) -> None:
        """A decision of everyone."""
        block = next(self._blocks)
        decide([(session, session.take(block)) for session in self._sessions])

    def one_by_one(self) -> None:
        """The same, one after the other."""
        block = next(self._blocks)
        for session in self._sessions:
            session.push(block)

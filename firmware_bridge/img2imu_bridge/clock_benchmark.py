"""How far the host's time of a packet is off: by the clock mapping, and by two plainer ways.

python -m img2imu_bridge.clock_benchmark
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from img2imu_bridge.clocks import passive_minimum

_SECONDS: Final = 600.0
_PACKET_SECONDS: Final = 10 / 104  # ten samples of a sensor that runs at 104 Hz
_WARM_UP: Final = 300
_SEEDS: Final = 5
_HOST_SECONDS: Final = 1e-3
_FORGETTING: Final = 0.999

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LinkCondition:
    """A simulated link and device. The device's clock is 40 ppm slow.

    Attributes:
        interval: Seconds between connection events: a packet waits for the next one.
        retransmits: Share of events at which a packet does not get through, and waits for the next.
        stalls: Whether nothing gets through for two seconds of each minute.
        wander: Amplitude in ppm by which the device's clock speeds up and slows down within five minutes.
    """

    interval: float = 0.015
    retransmits: float = 0.0
    stalls: bool = False
    wander: float = 0.0


CONDITIONS: Final = {
    "15 ms connection interval": LinkCondition(),
    "50 ms connection interval": LinkCondition(interval=0.05),
    "10 % retransmits": LinkCondition(retransmits=0.1),
    "2 s stalls": LinkCondition(stalls=True),
    "wandering drift": LinkCondition(wander=20.0),
}
"""The links that the mapping is measured on."""


def simulate(link: LinkCondition, seed: int) -> tuple[Array, Array, Array]:
    """Ten minutes of packets, about ten a second.

    Returns:
        Seconds on the device's clock, seconds on the host's at that moment, and at arrival.
    """
    rng = np.random.default_rng(seed)
    host: Array = np.arange(0, _SECONDS, _PACKET_SECONDS, dtype=np.float64)
    turn = 2 * np.pi / 300
    wandered = link.wander * 1e-6 / turn * (1 - np.cos(host * turn))
    device: Array = host * (1 - 40e-6) + wandered + rng.uniform(0, 100)
    tries = rng.geometric(1 - link.retransmits, len(host)) - 1
    # The device's sampling and the connection events have clocks of their own: their phases drift.
    event = link.interval * (1 + 30e-6)
    ready = (np.floor(host / event) + 1 + tries) * event
    if link.stalls:
        stalled = ready % 60 > 58
        ready[stalled] = np.ceil(ready[stalled] / 60) * 60
    arrival = np.maximum.accumulate(ready) + rng.exponential(_HOST_SECONDS, len(host))
    received: Array = np.maximum.accumulate(arrival)
    return device, host, received


def arrival_time(device: Array, arrival: Array) -> Array:
    """What one gets for nothing: a packet was sampled when it came."""
    return arrival


def least_squares(device: Array, arrival: Array) -> Array:
    """Recursive least squares of arrival over device time, forgetting with a time constant of 100 s."""
    mapped = np.empty_like(arrival)
    n = x = y = xx = xy = 0.0
    x0, y0 = device[0], arrival[0]
    for i, (d, a) in enumerate(zip((device - x0).tolist(), (arrival - y0).tolist(), strict=True)):
        n, x, y = _FORGETTING * n + 1, _FORGETTING * x + d, _FORGETTING * y + a
        xx, xy = _FORGETTING * xx + d * d, _FORGETTING * xy + d * a
        spread = n * xx - x * x
        slope = (n * xy - x * y) / spread if spread > 0 else 1.0
        mapped[i] = y0 + (y - slope * x) / n + slope * d
    return mapped


METHODS: Final[dict[str, Callable[[Array, Array], Array]]] = {
    "arrival time": arrival_time,
    "least squares": least_squares,
    "passive minimum": passive_minimum,
}


def mapping_errors(seeds: int = _SEEDS) -> dict[str, dict[str, tuple[float, float]]]:
    """Milliseconds by which each way is off, by condition and method: the median, and 99 % are below.

    The first half minute, in which everything is new, does not count.
    """
    errors: dict[str, dict[str, tuple[float, float]]] = {}
    for condition, link in CONDITIONS.items():
        runs = [simulate(link, seed) for seed in range(seeds)]
        errors[condition] = {}
        for name, method in METHODS.items():
            off = np.concatenate([(method(d, a) - h)[_WARM_UP:] for d, h, a in runs])
            median, most = np.percentile(np.abs(off) * 1e3, [50, 99])
            errors[condition][name] = round(float(median), 2), round(float(most), 2)
    return errors


def clock_mapping() -> dict[str, object]:
    """For `img2imu bench`: the errors, in milliseconds."""
    return {"clock_error_ms": mapping_errors()}


def main() -> None:
    """Print the table that docs/time.md shows."""
    print(f"| link | {' | '.join(METHODS)} |\n|---|{'---:|' * len(METHODS)}")
    for condition, errors in mapping_errors().items():
        cells = (f"{median:.1f} / {most:.1f}" for median, most in errors.values())
        print(f"| {condition} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()

"""What the measurements mean, and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from img2imu_bridge.doctor.measure import Measurement

Mark = Literal["ok", "note", "warn", "FAIL"]

MUCH_LOST: Final = 0.05
"""Share of samples from which on decisions get worse."""

LATE_MS: Final = 250.0
"""Lateness of the slowest one in a hundred blocks from which on decisions visibly lag."""

SILENT_SECONDS: Final = 2.0
"""Silence from which on something is wrong with the link."""

CRYSTAL_PPM: Final = 200.0
"""No quartz is off by more; two of them are compared."""

REAL_TIME_PPM: Final = 20_000.0
"""What is off by more does not run in real time, such as a recording played faster."""

BUSY_SHARE: Final = 0.5
"""Share of a core from which on there is little left for a network."""

BUSY_LOAD: Final = 2.0
"""Processes that want to run, for each CPU, from which on they wait for each other."""

_DOUBLED: Final = 0.01
_SERIOUS: Final = ("units", "gravity", "gyroscope", "stuck")


@dataclass(frozen=True, slots=True)
class Advice:
    """A finding.

    Attributes:
        mark: How serious it is.
        about: What it is about; one of the page's lines.
        text: What it means and what to do.
    """

    mark: Mark
    about: str
    text: str


def advise(found: Measurement, computer: dict[str, str]) -> list[Advice]:
    """Everything worth saying, the most serious first.

    Args:
        found: What was measured.
        computer: What `describe_computer` says.
    """
    everything = [*_on_link(found), *_on_time(found), *_on_values(found), *_on_computer(found, computer)]
    order: tuple[Mark, ...] = ("FAIL", "warn", "note", "ok")
    return sorted(everything, key=lambda advice: order.index(advice.mark))


def lost_share(found: Measurement) -> float:
    """Share of the device's samples that are lost."""
    lost, received = (found.counters.get(name, 0) for name in ("samples_lost", "samples_received"))
    return lost / max(lost + received, 1)


def _on_link(found: Measurement) -> Iterator[Advice]:
    counters = found.counters
    if found.error:
        yield Advice("FAIL", "connection", found.error)
    elif not counters.get("samples_received"):
        yield Advice(
            "FAIL",
            "received",
            f"nothing came in {found.seconds:.0f} s. Is the sensor switched on, and is no other program "
            "connected to the device?",
        )
    if lost := counters.get("samples_lost", 0):
        share = lost_share(found)
        yield Advice(
            "FAIL" if share > MUCH_LOST else "warn",
            "lost",
            f"{lost} samples ({share:.1%}) are missing. Over the air: bring the device nearer, move the "
            "adapter away from USB 3 and Wi-Fi, lower the rate, or have the device send more samples a "
            "packet. On a wire: raise the baud rate",
        )
    if corrupt := counters.get("corrupt", 0):
        yield Advice(
            "warn",
            "corrupt",
            f"{corrupt} packets were damaged or made no sense. On a wire: check cable, ground and baud rate. "
            "Over the air: is this the right profile for the device and its firmware?",
        )
    if counters.get("duplicates", 0) > _DOUBLED * counters.get("messages", 0):
        yield Advice(
            "warn",
            "duplicates",
            f"{counters['duplicates']} packets came twice; they were dropped. An earlier connection may "
            "still be open: end other programs, or switch the adapter off and on",
        )
    if reordered := counters.get("reordered", 0):
        yield Advice(
            "warn", "reordered", f"{reordered} packets came out of order, which no BLE or serial link does"
        )
    if reconnects := counters.get("reconnects", 0):
        yield Advice(
            "warn",
            "reconnects",
            f"the connection broke {reconnects} times. Check battery and distance; on a Raspberry Pi, the "
            "power supply and USB hub too",
        )
    for text in found.warnings:
        yield Advice("warn", "source", text)


def _on_time(found: Measurement) -> Iterator[Advice]:
    if found.longest_silence > SILENT_SECONDS:
        what = "samples were lost meanwhile" if lost_share(found) else "nothing was lost, but all came late"
        yield Advice(
            "warn",
            "longest silence",
            f"nothing came for {found.longest_silence:.1f} s; {what}. The device slept or is too far "
            "away, or the adapter is busy with scanning, sound or Wi-Fi",
        )
    late = found.arrival_late_ms.get("p99", 0.0)
    if late > LATE_MS:
        waiting = "; some of it is waiting for packets that were lost" if lost_share(found) else ""
        yield Advice(
            "warn",
            "arrival lateness",
            f"one block in a hundred comes {late:.0f} ms late or more, and so do decisions{waiting}. Samples "
            "keep their true times. A shorter connection interval helps, and fewer devices at one adapter",
        )
    if abs(found.drift_ppm) > REAL_TIME_PPM:
        yield Advice(
            "note",
            "clock drift",
            "the device's time does not pass as this computer's does: a recording that is played faster or "
            "slower, or time stamps in another unit than the profile says",
        )
    elif abs(found.drift_ppm) - found.drift_uncertainty_ppm > CRYSTAL_PPM:
        yield Advice(
            "note",
            "clock drift",
            f"the device's clock is off by {found.drift_ppm:+.0f} ppm: no quartz. Decisions do not mind; "
            "long recordings drift from other devices'",
        )


def _on_values(found: Measurement) -> Iterator[Advice]:
    for check, text in found.sanity:
        yield Advice("FAIL" if check in _SERIOUS else "warn", check, text)
    received = found.counters.get("samples_received")
    if received and found.gravity != found.gravity and "acc_x" in found.channels:
        yield Advice(
            "note", "gravity", "lay the device still for ten seconds to have gravity and noise measured"
        )


def _on_computer(found: Measurement, computer: dict[str, str]) -> Iterator[Advice]:
    if found.cpu_share > BUSY_SHARE:
        yield Advice(
            "warn",
            "CPU share",
            f"reading alone takes {found.cpu_share:.0%} of a core. Have the device send more samples "
            "a packet",
        )
    load, _, cpus = computer.get("load", "0 on 1").partition(" on ")
    if float(load) > BUSY_LOAD * float(cpus.split()[0]):
        yield Advice(
            "note", "load", "other programs keep this computer busy; what is late may be late for that"
        )

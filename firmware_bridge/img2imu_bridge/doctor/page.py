"""The page: plain text, 80 columns, that survives being pasted."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator
from typing import Final

from img2imu_bridge.doctor.advice import Advice, Mark, lost_share
from img2imu_bridge.doctor.measure import Measurement, Quantiles

_WIDTH: Final = 80
_NAMES: Final = 18
_MARKS: Final[tuple[Mark, ...]] = ("FAIL", "warn", "note", "ok")
_JUDGED: Final = (
    *("received", "lost", "duplicates", "reordered", "corrupt", "reconnects"),
    *("rate", "interval jitter", "arrival lateness", "longest silence", "clock drift"),
    *("values", "gravity", "CPU share", "load"),
)
_VALUES: Final = ("units", "gyroscope", "stuck", "clipping")
_ABOUT: Final = {"gravity": ("gravity", "units"), "values": _VALUES}


def page(url: str, found: Measurement, computer: dict[str, str], advice: list[Advice]) -> str:
    """All of it, as text.

    Args:
        url: The source's, with nothing secret in it.
        found: What was measured.
        computer: What `describe_computer` says.
        advice: What `advise` says.
    """
    lines = [f"img2imu doctor  {url}", ""]
    if found.name:
        sensors = f"{', '.join(found.channels)} at {found.nominal_rate:g} Hz"
        lines += _wrapped("", "device", found.name), _wrapped("", "says it sends", sensors)
    lines += [_wrapped("", "listened for" if found.name else "tried for", f"{found.seconds:.1f} s")]
    marks = _worst(advice)
    sections = {
        "LINK": [*_link(found)],
        "TIME": [*_time(found)],
        "VALUES": [*_values(found)],
        "COMPUTER": [*_computer(found, computer)],
    }
    for title, rows in sections.items():
        if rows:
            lines += ["", title]
            lines += [_wrapped(_mark(marks, name, text), name, text) for name, text in rows]
    lines += ["", "WHAT TO DO"]
    lines += [_wrapped(each.mark, each.about, each.text) for each in advice]
    if not any(each.mark in ("warn", "FAIL") for each in advice):
        lines.append(_wrapped("ok", "", "nothing is wrong"))
    return "\n".join(lines) + "\n"


def _wrapped(mark: str, name: str, text: str) -> str:
    head = f"{mark:>4}  {name:<{_NAMES}} "
    return textwrap.fill(
        text, _WIDTH, initial_indent=head, subsequent_indent=" " * len(head), break_on_hyphens=False
    ).rstrip()


def _worst(advice: list[Advice]) -> dict[str, Mark]:
    marks: dict[str, Mark] = {}
    for each in reversed(advice):
        marks[each.about] = each.mark
    return marks


def _mark(marks: dict[str, Mark], name: str, text: str) -> str:
    """The most serious mark of what the line is about; none where nothing was measured or is to be judged."""
    if text == "-" or name not in _JUDGED:
        return ""
    found = [marks[about] for about in _ABOUT.get(name, (name,)) if about in marks]
    return min(found, key=_MARKS.index, default="ok")


def _link(found: Measurement) -> Iterator[tuple[str, str]]:
    yield from found.link.items()
    counters = found.counters
    if found.error and not counters["messages"]:
        return
    yield "received", f"{counters['samples_received']} samples in {counters['messages']} packets"
    yield "lost", f"{counters['samples_lost']} samples ({lost_share(found):.2%})"
    for name in ("duplicates", "reordered", "corrupt", "reconnects"):
        yield name, f"{counters[name]}"


def _time(found: Measurement) -> Iterator[tuple[str, str]]:
    if math.isnan(found.rate):
        return
    off = (found.rate / found.nominal_rate - 1) * 1e6
    yield "rate", f"{found.rate:.3f} Hz, {round(off):+d} ppm off {found.nominal_rate:g} Hz"
    yield "interval jitter", _spread(found.interval_jitter_ms)
    yield "arrival lateness", _spread(found.arrival_late_ms)
    yield "longest silence", _number(found.longest_silence, "{:.2f} s between two blocks")
    uncertain = f" ± {found.drift_uncertainty_ppm:.0f}"
    yield (
        "clock drift",
        _number(found.drift_ppm, "{:+.0f}" + uncertain + " ppm against this computer's clock"),
    )


def _values(found: Measurement) -> Iterator[tuple[str, str]]:
    if math.isnan(found.rate):
        return
    odd = [check for check, _ in found.sanity if check in _VALUES]
    yield "values", f"odd: {', '.join(dict.fromkeys(odd))}" if odd else "units, range and axes look right"
    still = f" ({found.still_seconds} seconds of rest)"
    yield "gravity", _number(found.gravity, "{:.2f} m/s²" + still)
    for sensor, unit in (("acc", "m/s²"), ("gyr", "rad/s")):
        values = [f"{noise:.3f}" for name, noise in found.noise.items() if name.startswith(sensor)]
        if values:
            yield f"noise at rest, {sensor}", f"{' '.join(values)} {unit} (x y z, rms)"


def _computer(found: Measurement, computer: dict[str, str]) -> Iterator[tuple[str, str]]:
    yield "CPU share", _number(found.cpu_share * 100, "{:.1f} % of one core, for reading alone")
    yield from computer.items()


def _number(value: float, form: str) -> str:
    return "-" if math.isnan(value) else form.format(value)


def _spread(values: Quantiles) -> str:
    if not values:
        return "-"
    return "  ".join(f"{name} {value:.2f}" for name, value in values.items()) + " ms"

"""The watch over a dashboard that is left open: what grows is found, what is steady is not, and it runs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.watched import MOST_GROWTH, Look, faults, watch
from tests.e2e.browser import browser_page

STEADY = [
    Look(
        0.2 * at, 1.2 + 0.3 * (at % 3 == 0), 320 - at % 2, 8, 378 + at % 4, 103 + 0.7 * (at % 2), at, at, 600
    )
    for at in range(60)
]


def test_what_is_steady_passes() -> None:
    assert faults(STEADY) == []


@pytest.mark.parametrize("name", MOST_GROWTH)
def test_what_grows_is_found(name: str) -> None:
    step = 3 * MOST_GROWTH[name] / len(STEADY)
    growing = [replace(look, **{name: getattr(look, name) + step * at}) for at, look in enumerate(STEADY)]
    (fault,) = faults(growing)
    assert fault.startswith(f"{name} grew by ")
    filling = [
        replace(look, **{name: getattr(look, name) + step * min(at, 30)}) for at, look in enumerate(STEADY)
    ]
    assert faults(filling) == []  # within the warm-up


@pytest.mark.parametrize("name", ["reconnects", "cuts"])
def test_a_run_without_trouble_proves_nothing(name: str) -> None:
    (fault,) = faults([replace(look, **{name: 0}) for look in STEADY])
    assert "let it run for longer" in fault


async def test_it_looks_at_a_genuine_page() -> None:
    async with browser_page():
        pass  # or it is skipped
    first, *_, last = await watch(minutes=0.1, every_s=2.0)
    assert last.minute > first.minute
    assert 0.1 < last.heap_mb < 20
    assert last.page_mb > 10
    assert last.server_mb > 10
    assert last.nodes > 50
    assert last.decisions > 0

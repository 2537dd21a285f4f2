"""Fixtures of the BLE tests; `tests/ble/bench.py` says how to use them."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from img2imu_edge.recording import Recording

if sys.platform == "linux":
    from tests.ble.bench import Bench
    from tests.ble.bus import Bus, PrivateBus
else:
    collect_ignore_glob = ["test_*.py"]  # bleak talks to BlueZ, and brings dbus-fast, on Linux alone


@pytest.fixture
async def tidy_bleak(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """Keep what bleak keeps for the process's life from one test's event loop to the next."""
    from bleak.backends.bluezdbus import manager, version

    # Else bleak asks bluetoothctl, and waits for the answer in whichever loop asked first.
    monkeypatch.setattr(version.BlueZFeatures, "checked_bluez_version", True)
    yield
    kept = manager._global_instances.pop(asyncio.get_running_loop(), None)
    if kept is not None and kept._bus is not None:
        kept._bus.disconnect()
        if kept._bus_watcher_task is not None:
            await kept._bus_watcher_task


@pytest.fixture
def make_bus() -> Callable[[], Bus]:
    """Makes the message bus of the bench."""
    return PrivateBus


@pytest.fixture
def bare_bench(make_bus: Callable[[], Bus], monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """The bench for tests that use no bleak themselves, but start processes that do."""
    with Bench(make_bus) as bench:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", bench.address)
        yield bench


@pytest.fixture
def bench(bare_bench: Bench, tidy_bleak: None) -> Bench:
    """A bus, a bluetoothd and an adapter; `bench.add` brings peripherals into the air."""
    return bare_bench


@pytest.fixture
def run(recording: Recording) -> Recording:
    """1500 samples of six axes at 50 Hz."""
    return replace(recording, times=recording.times[:1500], values=recording.values[:1500])


@pytest.fixture
def no_dbus(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tidy_bleak: None) -> None:
    """A system without any D-Bus."""
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path / 'none'}")

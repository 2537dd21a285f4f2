"""The far end in a process of its own: virtual wearables behind ptys, or in the air of the BLE bench."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from img2imu_bridge.virtual.device import VirtualWearable
from img2imu_bridge.virtual.ledger import Ledger
from img2imu_bridge.virtual.options import VirtualOptions
from img2imu_bridge.virtual.port import VirtualPort
from img2imu_bridge.virtual.tape import make_tape

from benchmarks.motion import make_motion

if TYPE_CHECKING:
    from tests.ble.wearable import Wearable

Link = Literal["ble", "pty"]

FIRST = (1 << 16) - 256
"""Number of a device's first sample: its 16 bits wrap soon."""

_BOOT_ID = 0x5EED
_MTU = 247
_QUEUE = 64
_PATIENCE_S = 30.0
_LOOK_EVERY_S = 0.001
_HELD_S = 0.02
_SILENT_S = 2.0


@dataclass(frozen=True, slots=True)
class Play:
    """What the far end plays.

    Attributes:
        link: What the wearables are connected by.
        rate: Samples per second.
        seconds: Of the device's time.
        wearables: How many.
        speed: Times faster than life; 0 for as fast as the host takes it, which a pty can tell.
        batch: Samples in a message.
        duplicate: Share of messages sent twice.
        disconnect_every_s: Device-seconds between disconnects, 0 for none. Over BLE every other one comes
            without a warning, while the link's queue holds messages; the others are silences of two seconds.
        queue: Messages that a device holds for a host that does not take them; it drops what comes then. 0 to
            wait instead.
    """

    link: Link
    rate: float
    seconds: float
    wearables: int = 1
    speed: float = 0.0
    batch: int = 10
    duplicate: float = 0.0
    disconnect_every_s: float = 0.0
    queue: int = 0


class Player:
    """Starts the far end and, on leaving, has its account: `with Player(play) as player`.

    Args:
        play: What to play.
        cores: Processor cores that it may use; all if empty.

    Attributes:
        urls: What to connect to.
        ledgers: What each wearable made and lost, known after leaving; `samples_cut` were in the link's queue
            when it broke.
    """

    def __init__(self, play: Play, cores: tuple[int, ...] = ()) -> None:
        self._play, self._cores = play, cores
        self.urls: list[str] = []
        self.ledgers: list[dict[str, int]] = []

    def __enter__(self) -> Self:
        order = json.dumps({"play": dataclasses.asdict(self._play), "cores": self._cores})
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, order],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None  # noqa: S101 - a pipe
        ready = json.loads(self._process.stdout.readline())
        self.urls = ready["urls"]
        if ready["bus"]:
            os.environ["DBUS_SYSTEM_BUS_ADDRESS"] = ready["bus"]
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        if exc is not None:
            self._process.kill()
        try:
            out, _ = self._process.communicate(timeout=_PATIENCE_S)
        finally:
            self._process.kill()
        self.ledgers = json.loads(out) if exc is None else []


def main() -> None:
    """Play until all wearables have ended, or whoever started this process is gone."""
    order = json.loads(sys.argv[1])
    if order["cores"]:
        os.sched_setaffinity(0, order["cores"])
    threading.Thread(target=_at_end_of_input, daemon=True).start()
    play = Play(**order["play"])
    print(json.dumps((_play_ble if play.link == "ble" else _play_pty)(play)), flush=True)


def _play_pty(play: Play) -> list[dict[str, int]]:
    tape = make_tape(make_motion(play.rate, play.seconds), 1, _BOOT_ID, FIRST)
    ports = [VirtualPort() for _ in range(play.wearables)]
    try:
        for port in ports:
            port.plug()
        options = _options(play, play.disconnect_every_s)
        devices = [VirtualWearable(tape, options, port, once=True) for port in ports]
        threads = [threading.Thread(target=device.run) for device in devices]
        for thread in threads:
            thread.start()
        _ready([f"serial://{port.path}?timeout={_PATIENCE_S:g}" for port in ports])
        for thread in threads:
            thread.join()
    finally:
        for port in ports:
            port.remove()
    return [_account(device.ledger, cut=0) for device in devices]


def _play_ble(play: Play) -> list[dict[str, int]]:
    from tests.ble.bench import Bench
    from tests.ble.wearable import Wearable

    motion, options = make_motion(play.rate, play.seconds), _options(play, 2 * play.disconnect_every_s)
    with Bench() as bench:
        bands = []
        for n in range(play.wearables):
            band = Wearable(
                motion,
                options,
                boot_id=_BOOT_ID,
                first=FIRST,
                address=f"C0:FF:EE:00:00:{n + 1:02X}",
                mtu=_MTU,
                capacity=_QUEUE,
            )
            bands.append(bench.add(band))
            band.play()
        if play.disconnect_every_s:
            for band in bands:
                _break_now_and_then(band, play)
        _ready(
            [f"ble://{band.address}?profile=img2imu&timeout={_PATIENCE_S:g}" for band in bands], bench.address
        )
        return [_account(band.finish(None), band.samples_lost) for band in bands]


def _break_now_and_then(band: Wearable, play: Play) -> None:
    """Break the link halfway between the device's own silences, with messages in its queue."""

    def watch() -> None:
        per_second = play.rate / play.batch * (1 + play.duplicate)
        due = play.disconnect_every_s * per_second
        while True:
            time.sleep(_LOOK_EVERY_S)
            if band.device.ledger.messages >= due:
                due += (2 * play.disconnect_every_s - _SILENT_S) * per_second
                band.hold(2 * _HELD_S)
                time.sleep(_HELD_S)
                band.drop()

    threading.Thread(target=watch, daemon=True).start()


def _options(play: Play, unplug_every_s: float) -> VirtualOptions:
    return VirtualOptions(
        speed=play.speed,  # type: ignore[arg-type]
        batch=play.batch,
        duplicate=play.duplicate,
        unplug_every_s=unplug_every_s,
        unplug_for_s=_SILENT_S,
        queue=play.queue,
    )


def _account(ledger: Ledger, cut: int) -> dict[str, int]:
    return {**dataclasses.asdict(ledger), "samples_cut": cut}


def _ready(urls: list[str], bus: str = "") -> None:
    facts: dict[str, Any] = {"urls": urls, "bus": bus}
    print(json.dumps(facts), flush=True)


def _at_end_of_input() -> None:
    while os.read(sys.stdin.fileno(), 1024):
        pass
    time.sleep(_PATIENCE_S)
    os._exit(1)


if __name__ == "__main__":
    main()

"""A virtual wearable that speaks our wire protocol over GATT: the one behind the pty, with a radio instead.

wearable = bench.add(Wearable(recording, VirtualOptions(speed=0, batch=19)))
wearable.play()                  # in a thread, from the host's START on
...                              # the host connects, subscribes and so on
ledger = wearable.finish()       # each sample made, sent or lost; `wearable.ledger` has the notifications
"""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Any, Final

from img2imu_bridge.virtual.device import VirtualWearable
from img2imu_bridge.virtual.ledger import Ledger
from img2imu_bridge.virtual.options import VirtualOptions
from img2imu_bridge.virtual.tape import make_tape
from img2imu_bridge.wire.protocol import DATA_HEADER, MessageType

from img2imu_edge.recording import Recording
from tests.ble.peripheral import Characteristic, Peripheral, Service

NUS: Final = "6e400001-b5a3-f393-e0a9-e50e24dcca9e"
"""Nordic UART Service."""
NUS_WRITE: Final = "6e400002-b5a3-f393-e0a9-e50e24dcca9e"
"""What the host writes."""
NUS_NOTIFY: Final = "6e400003-b5a3-f393-e0a9-e50e24dcca9e"
"""What the device notifies."""

_PATIENCE = 20.0


class Wearable(Peripheral):
    """A peripheral with a device that senses a recording.

    With `options.queue` 0, the device's clock stands still while the link's queue is full or nobody listens:
    nothing gets lost. Else its own queue of that many messages comes before the link's.

    Args:
        recording: What it senses.
        options: Its pace and its faults; bits cannot be wrong on BLE.
        boot_id: What tells its power-ups apart.
        first: Its number of the first sample.
        peripheral: As for `Peripheral`; services are offered beside ours.

    Attributes:
        tape: What it senses, in counts and ticks.
        device: It.
    """

    def __init__(
        self,
        recording: Recording,
        options: VirtualOptions | None = None,
        *,
        boot_id: int = 0x5EED0001,
        first: int = 0,
        **peripheral: Any,
    ) -> None:
        options = options or VirtualOptions()
        if options.bit_errors:
            raise ValueError("the link layer of BLE repeats what is damaged")
        self._write = Characteristic(NUS_WRITE, ("write", "write-without-response"), on_write=self._asked)
        self._notify = Characteristic(NUS_NOTIFY, ("notify",), on_subscribe=self._subscribed)
        service = Service(NUS, (self._write, self._notify))
        more = peripheral.pop("services", ())
        super().__init__(**{"name": recording.name, **peripheral, "services": [service, *more]})
        self._requests: deque[bytes] = deque()
        self.tape = make_tape(recording, options.loops, boot_id, first)
        self.device = VirtualWearable(self.tape, options, _Radio(self), once=True)
        self._thread = threading.Thread(target=self.device.run, name="wearable", daemon=True)

    def play(self) -> None:
        """Begin: answer requests, and sense from START on until STOP, or the tape's end."""
        self._thread.start()

    def finish(self, patience: float | None = _PATIENCE) -> Ledger:
        """Wait until the device has ended, for good if patience is None, and return its account."""
        self._thread.join(patience)
        if self._thread.is_alive():
            self.device.end()
            self._thread.join(_PATIENCE)
            raise TimeoutError("the host has not said STOP")
        return self.device.ledger

    @property
    def samples_lost(self) -> int:
        """Samples in notifications that the link lost, beyond what the device's own account has."""
        size = self.tape.info.sample_size
        return sum(
            (len(value) - DATA_HEADER) // size for _, value in self.lost if value[0] == MessageType.DATA
        )

    def _asked(self, message: bytes) -> None:
        with self.changed:
            self._requests.append(message)
            self.changed.notify_all()

    def _subscribed(self, on: bool) -> None:
        with self.changed:
            self.changed.notify_all()


class _Radio:
    """The device's end of the air: a `Port` (img2imu_bridge.virtual.port)."""

    def __init__(self, wearable: Wearable) -> None:
        self._wearable = wearable
        self.longest = wearable.payload

    @property
    def plugged(self) -> bool:
        return self._wearable.in_reach

    def plug(self) -> None:
        self._wearable.in_reach = True

    def unplug(self) -> None:
        self._wearable.in_reach = False
        self._wearable.drop()
        self._wearable._requests.clear()

    def encode(self, message: bytes) -> bytes:
        return message

    @property
    def _room(self) -> bool:
        wearable = self._wearable
        heard = wearable.connected and wearable._notify.subscribed
        return heard and wearable.waiting < wearable.capacity

    def write(self, data: bytes) -> int:
        # Like a firmware that asks its stack whether there is a buffer, and keeps the message if not.
        return len(data) if self._room and self._wearable.notify(self._wearable._notify, data) else 0

    def read(self) -> list[bytes]:
        with self._wearable.changed:
            requests = [*self._wearable._requests]
            self._wearable._requests.clear()
        return requests

    def wait(self, seconds: float, *, writable: bool) -> None:
        wearable = self._wearable
        with wearable.changed:
            wearable.changed.wait_for(
                lambda: wearable._requests or (writable and self._room), max(0.0, seconds)
            )

    def settle(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        with self._wearable.changed:
            self._wearable.changed.wait_for(lambda: not self._wearable.waiting, end - time.monotonic())

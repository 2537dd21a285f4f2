"""A Bangle.js on a JavaScript engine: alone, and on the BLE bench."""

from __future__ import annotations

import json
import queue
import shutil
import subprocess
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from tests.ble.peripheral import Characteristic, Peripheral, Service

FOLDER: Final = Path(__file__).parent
NODE: Final = shutil.which("node") or shutil.which("nodejs")
NUS: Final = "6e400001-b5a3-f393-e0a9-e50e24dcca9e"
WRITE, NOTIFY = NUS.replace("0001", "0002", 1), NUS.replace("0001", "0003", 1)


class Watch:
    """The watch itself, in a process of its own.

    Attributes:
        polls: Samples that its sensor gave while somebody listened: the truth about what was sampled.
        overflowed: Bytes that its input buffer had no room for.
    """

    def __init__(self) -> None:
        assert NODE is not None
        self._process = subprocess.Popen(
            [NODE, FOLDER / "watch.js"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.polls = self.overflowed = 0
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._process.communicate(timeout=5)

    def tell(self, command: str) -> bytes:
        """Have it do something; returns the bytes that it sends on its UART."""
        return self._ask(command)[1]

    def eval(self, text: str) -> object:
        """Look into it."""
        return json.loads(self._ask(f"eval {text}")[0])

    def type(self, text: bytes) -> bytes:
        """Have it read bytes as they come from the host; returns what it sends."""
        said = b""
        for start in range(0, len(text), 90):
            said += self.tell(f"rx {text[start : start + 90].hex()}") + self.tell("step")
        return said

    def _ask(self, command: str) -> tuple[str, bytes]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._lock:
            self._process.stdin.write(command + "\n")
            self._process.stdin.flush()
            answer, sent, self.polls, self.overflowed = json.loads(self._process.stdout.readline())
        return answer, bytes.fromhex(sent)


class BenchWatch(Peripheral):
    """The watch in the air. It samples as fast as its host listens, and `play` says how much.

    Args:
        watch: The watch.
        address: Its address.
    """

    def __init__(self, watch: Watch, address: str = "C0:FF:EE:00:12:34") -> None:
        write = Characteristic(WRITE, ("write", "write-without-response"), on_write=self._wrote)
        self._heard = Characteristic(NOTIFY, ("notify",))
        super().__init__(
            "Bangle.js 1234", address, [Service(NUS, [write, self._heard])], mtu=131, advertised=()
        )
        self.watch, self.ending = watch, False
        self.pause = 0.002
        self._inbox: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._thread.start()

    def finish(self) -> None:
        """End it."""
        self.ending = True
        self._thread.join(10)

    def linked(self, connected: bool) -> None:
        """A connection came or went."""
        super().linked(connected)
        self._inbox.put(f"link {int(connected)}")

    def _wrote(self, value: bytes) -> None:
        self._inbox.put(f"rx {value.hex()}")

    def _run(self) -> None:
        while not self.ending:
            commands = ["step", "poll 2 0"]
            while not self._inbox.empty():
                commands.insert(-2, self._inbox.get())
            for command in commands:
                said = self.watch.tell(command)
                for start in range(0, len(said), self.payload):
                    self.notify(self._heard, said[start : start + self.payload], patience=1)
            time.sleep(self.pause)

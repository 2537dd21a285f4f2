"""`python -m img2imu_bridge.virtual run.csv`: a virtual wearable to connect to from another terminal.

The first line it prints is the URL to connect to, the last one its ledger as JSON.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import secrets
import signal
import sys
import threading
from collections.abc import Callable
from typing import get_type_hints

from img2imu_bridge.virtual.device import VirtualWearable
from img2imu_bridge.virtual.options import VirtualOptions
from img2imu_bridge.virtual.port import VirtualPort
from img2imu_bridge.virtual.tape import Tape, make_tape
from img2imu_edge.errors import Img2ImuError
from img2imu_edge.recording import demo_recording, read_recording


def main() -> int:
    """Be a wearable until its recording is over, or it is told to end by a signal."""
    try:
        options, attached = _parse()
        tape = _load(options)
    except (Img2ImuError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    port = VirtualPort()
    try:
        port.plug()
        wearable = VirtualWearable(tape, options, port, once=attached)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: wearable.end())
        if attached:
            threading.Thread(target=_at_end_of_input, args=(wearable.end,), daemon=True).start()
        print(f"serial://{port.path}", flush=True)
        wearable.run()
    finally:
        port.remove()
    print(json.dumps(dataclasses.asdict(wearable.ledger)), flush=True)
    return 0


def _parse() -> tuple[VirtualOptions, bool]:
    parser = argparse.ArgumentParser(prog="python -m img2imu_bridge.virtual", description=__doc__)
    parser.add_argument("recording", nargs="?", default="", help="CSV to play; the shipped one by default")
    parser.add_argument("--attached", action="store_true", help="end with the input, or when the host stops")
    hints = get_type_hints(VirtualOptions)
    for field in dataclasses.fields(VirtualOptions):
        if field.name != "recording":
            parser.add_argument(f"--{field.name}", type=hints[field.name], default=field.default)
    values = vars(parser.parse_args())
    attached = bool(values.pop("attached"))
    return VirtualOptions(**values), attached


def _load(options: VirtualOptions) -> Tape:
    recording = read_recording(options.recording or demo_recording())
    tape = make_tape(recording, options.loops, secrets.randbits(32))
    if options.batch > tape.most_samples:
        raise ValueError(f"batch={options.batch} is too much; a message holds {tape.most_samples} samples")
    return tape


def _at_end_of_input(then: Callable[[], None]) -> None:
    """Wait until nobody holds the other end of standard input: whoever started this process is gone."""
    while os.read(sys.stdin.fileno(), 1024):
        pass
    then()


if __name__ == "__main__":
    sys.exit(main())

"""`python -m img2imu_bridge.virtual`: a virtual wearable to connect to from another terminal."""

from __future__ import annotations

import argparse
import dataclasses
import json
import secrets
import signal
import sys
from dataclasses import asdict
from typing import get_type_hints

from img2imu_bridge.virtual.device import VirtualWearable
from img2imu_bridge.virtual.options import VirtualOptions
from img2imu_bridge.virtual.port import VirtualPort
from img2imu_bridge.virtual.tape import make_tape
from img2imu_edge.errors import Img2ImuError
from img2imu_edge.recording import demo_recording, read_recording


def main() -> int:
    """Print the port's path as JSON, play, and print the ledger as JSON in the end."""
    try:
        options = _parse()
        recording = read_recording(options.recording or demo_recording())
        tape = make_tape(recording, options.loops, secrets.randbits(32))
    except (Img2ImuError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
    port = VirtualPort()
    try:
        port.plug()
        print(json.dumps({"port": str(port.path), "url": f"serial://{port.path}"}), flush=True)
        wearable = VirtualWearable(tape, options, port)
        wearable.run()
        print(json.dumps(asdict(wearable.ledger)), flush=True)
    finally:
        port.remove()
    return 0


def _parse() -> VirtualOptions:
    parser = argparse.ArgumentParser(prog="python -m img2imu_bridge.virtual", description=__doc__)
    hints = get_type_hints(VirtualOptions)
    for field in dataclasses.fields(VirtualOptions):
        parser.add_argument(f"--{field.name}", type=hints[field.name], default=field.default)
    return VirtualOptions(**vars(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())

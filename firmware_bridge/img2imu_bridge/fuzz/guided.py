"""`python -m img2imu_bridge.fuzz.guided -max_total_time=600`: bytes that reach new code, found by libFuzzer.

Needs `pip install atheris`. The first byte chooses the decoder; options are libFuzzer's. It begins with good
packets, in a new folder that it names and leaves, with what it found, for you to delete.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
import tempfile
from pathlib import Path


def main() -> None:
    """Fuzz all decoders until the time is up, or one does anything but understand or refuse."""
    try:
        atheris = importlib.import_module("atheris")
    except ImportError:
        sys.exit("atheris is not there; pip install atheris, or use python -m img2imu_bridge.fuzz")
    with atheris.instrument_imports(include=["img2imu_bridge.profiles", "img2imu_bridge.wire"]):
        from img2imu_bridge.fuzz.targets import all_targets

        targets = list(all_targets())

    def feed(data: bytes) -> None:
        if data:
            target = targets[data[0] % len(targets)]
            seed = target.seeds[data[0] // len(targets) % len(target.seeds)]
            with contextlib.suppress(target.refused):
                target.feed(seed.characteristic, data[1:])

    folder = Path(tempfile.mkdtemp(prefix="img2imu-fuzz-"))
    for number, target in enumerate(targets):
        for which, seed in enumerate(target.seeds):
            first = number + which * len(targets)
            if first < 256:
                (folder / f"{number}-{which}").write_bytes(bytes((first,)) + seed.value)
    print(f"packets that reach something new are in {folder}", flush=True)
    atheris.Setup([*sys.argv, "-max_len=513", str(folder)], feed)
    atheris.Fuzz()


if __name__ == "__main__":
    main()

"""Two runs of `check.py`, of this machine and of an ARM: every file passes, and decides alike on both."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

SAME = 1e-4
"""Largest difference of a float32 file's logits on two CPUs: rounding in another order."""

SAME_INT8 = 0.1
"""Of an int8 file's: float32 rounding moves a value to the next of its 256 steps now and then."""


def main(here: Path, there: Path) -> int:
    """Print a line for each file; what is wrong comes last.

    Args:
        here: From this machine.
        there: From the other.

    Returns:
        The process's exit status.
    """
    first, second = (json.loads(path.read_text()) for path in (here, there))
    wrong = [] if second["machine"] == "aarch64" else [f"that was no arm64 but {second['machine']}"]
    if first["models"].keys() != second["models"].keys():
        wrong.append("the two runs are not of the same files")
    print(f"{'':24} logits beside the network   bound   {first['machine']} beside arm64")
    for name in sorted(first["models"].keys() & second["models"].keys()):
        mine, theirs = first["models"][name], second["models"][name]
        error, bound, _ = theirs["stages"]["logits"]
        apart = float(np.abs(np.subtract(mine["logits"], theirs["logits"])).max())
        print(
            f"{name:24} {mine['stages']['logits'][0]:9.2g} {error:9.2g} arm64 {bound:9.2g} {apart:12.2g}  "
            f"{theirs['engine']}"
        )
        for run in (first, second):
            stages = run["models"][name]["stages"].items()
            failed = [stage for stage, (*_, passed) in stages if not passed]
            wrong += [f"{name} on {run['machine']}: {stage} is out of its bound" for stage in failed]
        if not apart <= (SAME if "fp32" in name else SAME_INT8):
            wrong.append(f"{name}: its logits are {apart:.2g} apart")
        if len(mine["labels"]) < 100 or mine["labels"] != theirs["labels"]:
            wrong.append(f"{name}: its decisions on the demo's recording differ")
    print(
        "\n".join(wrong)
        or f"every file passes, with the same decisions on {' and '.join(_machines(first, second))}"
    )
    return bool(wrong)


def _machines(*runs: dict[str, str]) -> list[str]:
    return [run["machine"] for run in runs]


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))

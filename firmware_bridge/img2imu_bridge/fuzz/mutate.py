"""What no device would send: noise, and good packets with something wrong."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Final

LONGEST: Final = 512
"""Bytes in a notification, at most (Core Specification, vol. 3, part F, 3.2.9)."""

_EXTREME: Final = (b"\0", b"\xff", b"\x7f", b"\x80", b"\xff\xff\x7f\x7f", b"\0\0\x80\x7f", b"\0\0\xc0\x7f")
_NOISY: Final = 0.1


def mutate(rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    """Something made of good packets, or of nothing at all; up to `LONGEST` bytes."""
    if not seeds or rng.random() < _NOISY:
        return rng.randbytes(min(int(rng.expovariate(1 / 40)), LONGEST))
    data = bytearray(rng.choice(seeds))
    for _ in range(1 + int(rng.expovariate(1))):
        _harm(rng, data, seeds)
    return bytes(data[:LONGEST])


def _harm(rng: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    at = rng.randrange(len(data) + 1)
    what = rng.randrange(6)
    if what == 0 and at < len(data):
        data[at] ^= 1 << rng.randrange(8)
    elif what == 1 and at < len(data):
        data[at] = rng.randrange(256)
    elif what == 2:
        extreme = rng.choice(_EXTREME)
        data[at : at + len(extreme)] = extreme
    elif what == 3:
        del data[at:]
    elif what == 4:
        data[at:at] = rng.randbytes(rng.randrange(1, 24))
    else:
        data[at:] = rng.choice(seeds)

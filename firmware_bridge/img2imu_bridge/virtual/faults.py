"""Faults: what goes wrong between a device's sensor and the far end of its link, in the shares asked for."""

from __future__ import annotations

import random
from collections.abc import Callable

from img2imu_bridge.virtual.ledger import Ledger
from img2imu_bridge.virtual.options import VirtualOptions


class Faults:
    """Turns messages into the frames that leave, and accounts for those that do not.

    Args:
        options: The shares, and the seed that makes a run repeatable.
        ledger: The account.
        encode: Makes a message's frame.
    """

    def __init__(self, options: VirtualOptions, ledger: Ledger, encode: Callable[[bytes], bytes]) -> None:
        self._options = options
        self._ledger = ledger
        self._encode = encode
        self._random = random.Random(options.seed)  # noqa: S311 - faults, not secrets
        self._late: tuple[bytes, int] | None = None

    def delay(self) -> float:
        """Seconds by which the next message leaves late."""
        return self._random.uniform(0, self._options.jitter_ms) / 1e3

    def data(self, message: bytes, samples: int, room: bool) -> list[bytes]:
        """Frames that leave now because a DATA message was made.

        Args:
            message: The message.
            samples: How many samples it has.
            room: Whether the device can queue it.

        Returns:
            None, one, or several frames.
        """
        if self._random.random() < self._options.loss or not room:
            self._ledger.dropped += 1
            self._ledger.samples_dropped += samples
            return []
        if self._late is None and self._random.random() < self._options.reorder:
            self._late = message, samples
            return []
        frames = self._copies(message, samples)
        if self._late is not None:
            self._ledger.reordered += 1
            frames += self.rest()
        return frames

    def rest(self) -> list[bytes]:
        """Frames of the message that was to leave late, if there is one."""
        late, self._late = self._late, None
        return self._copies(*late) if late is not None else []

    def frame(self, message: bytes) -> bytes:
        """A message's frame, with a wrong bit now and then."""
        return self._frame(message)[0]

    def _copies(self, message: bytes, samples: int) -> list[bytes]:
        twice = self._random.random() < self._options.duplicate
        copies = [self._frame(message) for _ in range(1 + twice)]
        self._ledger.duplicated += twice
        self._ledger.messages += len(copies)
        if all(damaged for _, damaged in copies):
            self._ledger.samples_damaged += samples
        return [frame for frame, _ in copies]

    def _frame(self, message: bytes) -> tuple[bytes, bool]:
        frame = self._encode(message)
        if self._random.random() >= self._options.bit_errors:
            return frame, False
        self._ledger.damaged += 1
        # Not in the zero that ends the frame: that would cost the next one too, and blur the account.
        place = self._random.randrange(len(frame) - 1)
        wrong = frame[place] ^ 1 << self._random.randrange(8)
        return frame[:place] + bytes([wrong]) + frame[place + 1 :], True

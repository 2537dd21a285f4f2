"""Ledger: a virtual wearable's own account, to be held against the host's."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Ledger:
    """What the device made, sent and lost, each sample under one head.

    `samples_made` is what the host received, plus what the other `samples_` count. A real cable may take a
    few more when it is pulled; the virtual one is pulled when it is empty.

    Attributes:
        samples_made: Samples taken, those that the recording lacks included.
        samples_lacking: Of these, those that are missing in the recording.
        samples_dropped: Those in messages that never left, as when a queue is full.
        samples_damaged: Those of which only damaged copies left.
        samples_unplugged: Those taken while there was no cable.
        messages: DATA messages sent, duplicates included.
        dropped: Messages that never left.
        duplicated: Messages sent twice.
        reordered: Messages sent after the one that follows them.
        damaged: Frames sent with a wrong bit, answers included.
        unplugged: Times the port went away.
    """

    samples_made: int = 0
    samples_lacking: int = 0
    samples_dropped: int = 0
    samples_damaged: int = 0
    samples_unplugged: int = 0
    messages: int = 0
    dropped: int = 0
    duplicated: int = 0
    reordered: int = 0
    damaged: int = 0
    unplugged: int = 0

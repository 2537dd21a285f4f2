"""VirtualWearable: plays a tape over a port, at its own pace and with the faults that were asked for."""

from __future__ import annotations

import math
import random
import time
from collections import deque
from dataclasses import dataclass, replace
from itertools import pairwise

from img2imu_bridge.virtual.options import VirtualOptions
from img2imu_bridge.virtual.port import VirtualPort
from img2imu_bridge.virtual.tape import Tape
from img2imu_bridge.wire.framing import FrameReader, encode_frame
from img2imu_bridge.wire.messages import (
    Control,
    Info,
    MessageError,
    Request,
    Status,
    StatusCode,
    decode,
    encode_data,
    encode_info,
    encode_status,
)

GOODBYE_EVERY_S = 0.1
GOODBYES = 100
"""The last INFO is repeated until the host answers, since a frame may be damaged."""

_LONGEST_WAIT_S = 0.5
_SHORTEST_DARK_S = 0.02


@dataclass(slots=True)
class Ledger:
    """The device's own account.

    Attributes:
        samples_made: Samples taken.
        samples_unsent: Of these, those that never left: dropped, unplugged, or lacking in the recording.
        messages: DATA messages sent, duplicates included.
        dropped: Messages dropped in the device.
        duplicated: Messages sent twice.
        reordered: Messages sent late.
        damaged: Frames sent with a wrong bit.
        unplugged: Times the port went away.
    """

    samples_made: int = 0
    samples_unsent: int = 0
    messages: int = 0
    dropped: int = 0
    duplicated: int = 0
    reordered: int = 0
    damaged: int = 0
    unplugged: int = 0


class VirtualWearable:
    """One device with its port.

    Its clock stands still while the host does not take what it sends, or has not asked for it after the
    device was plugged in again: played fast, it loses what a real device would lose, and no more.

    Args:
        tape: What it senses.
        options: Its pace and its faults.
        port: Its port, plugged in.
    """

    def __init__(self, tape: Tape, options: VirtualOptions, port: VirtualPort) -> None:
        self._tape, self._options, self._port = tape, options, port
        self._random = random.Random(options.seed)  # noqa: S311 - faults, not secrets
        self._frames = FrameReader()
        self._out: deque[bytes] = deque()
        self._late: bytes | None = None
        self._at = 0
        self._streaming = self._stopped = self._asked = False
        self._speed = options.speed * (1 + options.skew_ppm * 1e-6)
        self._origin = 0.0  # host time at which the device's clock showed zero
        self.ledger = Ledger(samples_made=tape.made)

    def run(self) -> None:
        """Play the tape once the host says START; return when the host has heard its end."""
        while not self._streaming and not self._stopped:
            self._serve(_LONGEST_WAIT_S)
        self._set_clock(0)
        next_unplug = self._options.unplug_every_s or math.inf
        dark_until = -math.inf
        for first, last in pairwise(self._batches()):
            if self._stopped:
                break
            now = self._seconds(first)
            if now >= next_unplug:
                self._unplug()
                dark_until, next_unplug = now + self._options.unplug_for_s, now + self._options.unplug_every_s
            if now >= dark_until:
                if not self._port.plugged:
                    self._come_back()
                self._wait_until_due(last - 1)
                self._send_batch(first, last)
                self._drain()
            else:
                self.ledger.samples_unsent += last - first
            self._at = last
        self.ledger.samples_unsent += self._tape.made - len(self._tape.index)
        self._say_goodbye()

    def _seconds(self, sample: int) -> float:
        """The device's clock at a sample, in seconds."""
        return float(self._tape.ticks[sample]) / self._tape.info.ticks_per_second

    def _set_clock(self, sample: int) -> None:
        """Let the device's clock go on from a sample, now."""
        self._origin = time.monotonic() - (self._seconds(sample) / self._speed if self._speed else 0.0)

    def _wait_until_due(self, sample: int) -> None:
        if not self._speed:
            return
        due = self._origin + self._seconds(sample) / self._speed
        due += self._random.uniform(0, self._options.jitter_ms) / 1e3
        while (left := due - time.monotonic()) > 0 and not self._stopped:
            self._serve(left)

    def _batches(self) -> list[int]:
        """Where messages begin, and the end; a message never spans samples that the recording lacks."""
        starts = [0]
        for sample in range(1, len(self._tape.index)):
            broken = self._tape.index[sample] != self._tape.index[sample - 1] + 1
            if broken or sample - starts[-1] == self._options.batch:
                starts.append(sample)
        return [*starts, len(self._tape.index)]

    def _unplug(self) -> None:
        self.ledger.unplugged += 1
        self._port.unplug()
        self._out.clear()
        self._late = None
        self._frames = FrameReader()

    def _come_back(self) -> None:
        """Be plugged in again, and wait until the host has asked who is there."""
        dark = self._options.unplug_for_s / self._speed if self._speed else 0.0
        time.sleep(max(dark, _SHORTEST_DARK_S))
        self._port.plug()
        self._asked = False
        while not self._asked and not self._stopped:
            self._serve(_LONGEST_WAIT_S)
        self._set_clock(self._at)

    def _send_batch(self, first: int, last: int) -> None:
        if self._random.random() < self._options.loss:
            self.ledger.dropped += 1
            self.ledger.samples_unsent += last - first
            return
        tape = self._tape
        message = encode_data(int(tape.index[first]), int(tape.ticks[first]), tape.counts[first:last])
        if self._late is None and self._random.random() < self._options.reorder:
            self.ledger.reordered += 1
            self._late = message
            return
        self._send_data(message)
        if self._late is not None:
            late, self._late = self._late, None
            self._send_data(late)

    def _send_data(self, message: bytes) -> None:
        times = 1
        if self._random.random() < self._options.duplicate:
            self.ledger.duplicated += 1
            times = 2
        for _ in range(times):
            self.ledger.messages += 1
            self._send(message)

    def _send(self, message: bytes) -> None:
        frame = bytearray(encode_frame(message))
        if self._random.random() < self._options.bit_errors:
            self.ledger.damaged += 1
            frame[self._random.randrange(len(frame))] ^= 1 << self._random.randrange(8)
        self._out.append(bytes(frame))

    def _info(self) -> Info:
        """What the device says of itself right now."""
        tape, at = self._tape, self._at
        period = round(tape.info.period)
        ended = at >= len(tape.index)
        return replace(
            tape.info,
            ticks=int(tape.ticks[-1]) + period if ended else int(tape.ticks[at]),
            next_index=tape.made if ended else int(tape.index[at]),
            streaming=self._streaming,
        )

    def _say_goodbye(self) -> None:
        if self._late is not None:
            self._send_data(self._late)
        self._streaming = False
        for _ in range(GOODBYES):
            if self._stopped:
                return
            for part in encode_info(self._info(), max_size=256):
                self._send(part)
            self._drain()
            self._serve(GOODBYE_EVERY_S)

    def _drain(self) -> None:
        """Write until everything has left; the device's clock stands still for as long as the host takes."""
        self._flush()
        begin = time.monotonic()
        while self._out and not self._stopped:
            self._serve(_LONGEST_WAIT_S)
        self._origin += time.monotonic() - begin

    def _serve(self, seconds: float) -> None:
        """Write what fits, read and answer requests; wait at most so long for either."""
        self._flush()
        self._port.wait(seconds, writable=bool(self._out))
        for message in self._frames.push(self._port.read()):
            try:
                request = decode(message)
            except MessageError:
                continue
            if isinstance(request, Control):
                self._answer(request)
        self._flush()

    def _flush(self) -> None:
        while self._out:
            frame = self._out.popleft()
            if (written := self._port.write(frame)) < len(frame):
                self._out.appendleft(frame[written:])
                return

    def _answer(self, request: Control) -> None:
        if request.kind is Request.GET_INFO:
            self._asked = True
            for part in encode_info(self._info(), max_size=256):
                self._send(part)
            return
        code = StatusCode.OK
        if request.kind is Request.START:
            self._streaming = self._streaming or self._at < len(self._tape.index)
        elif request.kind is Request.STOP:
            self._streaming, self._stopped = False, True
        else:
            code = StatusCode.BAD_ARGUMENT  # a recording has the rate that it has
        self._send(encode_status(Status(request.kind, request.request_id, code)))
        if self._stopped:
            self._flush()

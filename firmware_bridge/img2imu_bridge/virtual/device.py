"""VirtualWearable: plays a tape over a port, at its own pace and with the faults that were asked for."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

from img2imu_bridge.virtual.faults import Faults
from img2imu_bridge.virtual.ledger import Ledger
from img2imu_bridge.virtual.options import VirtualOptions
from img2imu_bridge.virtual.port import Port
from img2imu_bridge.virtual.tape import Tape
from img2imu_bridge.wire.messages import (
    DATA_HEADER,
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

_GOODBYE_EVERY_S = 0.1
_GOODBYE_FOR_S = 10.0
_LONGEST_WAIT_S = 0.1
_SHORTEST_DARK_S = 0.02
_SETTLE_S = 2.0


class VirtualWearable:
    """One device with its end of a link.

    A real device goes on sampling whatever the host does. This one's clock stands still while the host has
    not said START, does not take what it sends (unless `queue` limits that), or has not yet come back after
    the port did: played fast, it loses what a real device would lose, and no more.

    Args:
        tape: What it senses.
        options: Its pace and its faults.
        port: Its port, plugged in.
        once: End when the host says STOP; else wait for the next START, until the tape is at its end.

    Attributes:
        ledger: Its account, complete once `run` has returned.
    """

    def __init__(self, tape: Tape, options: VirtualOptions, port: Port, once: bool) -> None:
        self.ledger = Ledger()
        self._tape, self._options, self._port, self._once = tape, options, port, once
        self._faults = Faults(options, self.ledger, port.encode)
        self._out: deque[bytes] = deque()
        self._at = 0  # the next sample of the tape
        self._streaming = self._over = self._wanted = False
        self._speed = options.speed * (1 + options.skew_ppm * 1e-6)
        self._origin = 0.0  # host time at which the device's clock showed zero

    def end(self) -> None:
        """Make `run` return soon; may be called from a signal handler or another thread."""
        self._over = True

    def run(self) -> None:
        """Play the tape once the host says START; return when the host has heard its end."""
        next_unplug = self._options.unplug_every_s or math.inf
        dark_until = -math.inf
        for first, last in pairwise(self._batches()):
            now = self._seconds(first)
            if now >= next_unplug:
                self._unplug()
                dark_until = now + self._options.unplug_for_s
                next_unplug = now + self._options.unplug_every_s
            if now >= dark_until:
                if not self._port.plugged:
                    self._come_back()
                if not self._streaming:
                    self._wait_for_start()
                self._wait_until_due(last - 1)
                if self._over:
                    break
                self._send_batch(first, last)
            else:
                self.ledger.samples_unplugged += last - first
            self._at = last
        if not self._port.plugged and not self._over:
            self._come_back()
        self._say_goodbye()
        self.ledger.samples_made = self._index() - int(self._tape.index[0])
        self.ledger.samples_lacking = self.ledger.samples_made - self._at

    @property
    def _ended(self) -> bool:
        return self._at == len(self._tape.index)

    def _index(self) -> int:
        """Number of the sample that is taken next."""
        if self._ended:
            return int(self._tape.index[0]) + self._tape.made
        return int(self._tape.index[self._at])

    def _seconds(self, sample: int) -> float:
        """The device's clock at a sample of the tape, from the first one on."""
        return float(self._tape.ticks[sample] - self._tape.ticks[0]) / self._tape.info.ticks_per_second

    def _set_clock(self) -> None:
        """Let the device's clock go on from here, now."""
        here = min(self._at, len(self._tape.index) - 1)
        self._origin = time.monotonic() - (self._seconds(here) / self._speed if self._speed else 0.0)

    def _batches(self) -> Iterator[int]:
        """Where messages begin, and the end; none spans samples that the tape lacks, or an uneven step.

        Found as they are needed: the host is not to wait until a long tape has been gone through.
        """
        start = 0
        yield start
        period = self._tape.info.period
        most = min(self._options.batch, (self._port.longest - DATA_HEADER) // self._tape.info.sample_size)
        for sample in range(1, len(self._tape.index)):
            place = sample - start
            even = self._tape.ticks[sample] - self._tape.ticks[start] == round(place * period)
            whole = self._tape.index[sample] - self._tape.index[start] == place
            if place == most or not even or not whole:
                start = sample
                yield start
        yield len(self._tape.index)

    def _wait_for_start(self) -> None:
        while not self._streaming and not self._over:
            self._serve(_LONGEST_WAIT_S)
        self._set_clock()

    def _wait_until_due(self, sample: int) -> None:
        if not self._speed:
            return
        due = self._origin + self._seconds(sample) / self._speed + self._faults.delay()
        while (left := due - time.monotonic()) > 0 and not self._over:
            self._serve(min(left, _LONGEST_WAIT_S))

    def _send_batch(self, first: int, last: int) -> None:
        tape, queue = self._tape, self._options.queue
        message = encode_data(int(tape.index[first]), int(tape.ticks[first]), tape.counts[first:last])
        self._out += self._faults.data(message, last - first, not queue or len(self._out) < queue)
        self._serve(0)
        if not queue:
            begin = time.monotonic()
            self._drain(math.inf)
            self._origin += time.monotonic() - begin

    def _unplug(self) -> None:
        """Pull the cable, once it is empty: what is on it would be lost, and nobody could say how much."""
        self._out += self._faults.rest()
        self._drain(_SETTLE_S)
        self._port.settle(_SETTLE_S)
        self.ledger.unplugged += 1
        self._port.unplug()
        self._out.clear()

    def _come_back(self) -> None:
        """Be plugged in again, and wait until the host has said START: it knows by then who is there."""
        dark = self._options.unplug_for_s / self._speed if self._speed else 0.0
        end = time.monotonic() + max(dark, _SHORTEST_DARK_S)
        while (left := end - time.monotonic()) > 0 and not self._over:
            time.sleep(min(left, _LONGEST_WAIT_S))
        self._port.plug()
        self._wanted = False
        while not self._wanted and not self._over:
            self._serve(_LONGEST_WAIT_S)
        self._set_clock()

    def _say_goodbye(self) -> None:
        """Say that the tape has ended, again and again until the host says STOP: a frame may be damaged."""
        self._out += self._faults.rest()
        self._streaming = False
        end = time.monotonic() + _GOODBYE_FOR_S
        while not self._over and time.monotonic() < end:
            if not self._out:
                self._send_info()
            self._drain(_GOODBYE_EVERY_S)
            self._serve(_GOODBYE_EVERY_S)
        if self._port.plugged:
            self._drain(_GOODBYE_EVERY_S)
            self._port.settle(_GOODBYE_EVERY_S)

    def _drain(self, patience: float) -> None:
        """Write until everything has left, or for so many seconds."""
        end = time.monotonic() + patience
        while self._out and (left := end - time.monotonic()) > 0:
            if self._over and patience == math.inf:
                return
            self._serve(min(left, _LONGEST_WAIT_S))

    def _serve(self, seconds: float) -> None:
        """Write what fits, read and answer requests; wait at most so long for either."""
        self._flush()
        self._port.wait(seconds, writable=bool(self._out))
        for message in self._port.read():
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
            self._send_info()
            return
        # A recording has the rate that it has.
        code = StatusCode.BAD_ARGUMENT if request.kind is Request.SET_RATE else StatusCode.OK
        self._send(encode_status(Status(request.kind, request.request_id, code)))
        if request.kind is Request.START:
            self._wanted = True
            if not self._streaming:
                self._streaming = not self._ended
                self._send_info()
        elif request.kind is Request.STOP:
            self._streaming = False
            self._over = self._over or self._once or self._ended

    def _send_info(self) -> None:
        tape = self._tape
        ticks = tape.ticks[-1] + round(tape.info.period) if self._ended else tape.ticks[self._at]
        info: Info = replace(tape.info, ticks=int(ticks), next_index=self._index(), streaming=self._streaming)
        for part in encode_info(info, self._port.longest):
            self._send(part)

    def _send(self, message: bytes) -> None:
        self._out.append(self._faults.frame(message))

"""Reception: what one device says over however many connections, every sample counted once."""

from __future__ import annotations

from img2imu_bridge.link import Heard
from img2imu_bridge.wire.messages import Data, Info
from img2imu_bridge.wire.stream import StreamDecoder
from img2imu_edge.errors import SourceError
from img2imu_edge.samples import SampleBlock
from img2imu_edge.source import LinkStats


class Reception:
    """Turns what a device says into blocks, until it says that there is no more.

    Attributes:
        info: The device's latest INFO.
        ended: Whether the device stopped sampling of its own accord.
        restarted: Whether the device restarted under the connection, and waits for START; to be set back.
        message_seconds: How long the samples of one message take.
    """

    def __init__(self, info: Info, stats: LinkStats) -> None:
        """Begin with the device's first INFO, and counters to keep current."""
        self.info = info
        self.ended = False
        self.restarted = False
        self.message_seconds = 1 / info.rate
        self._stats = stats
        self._decoder = StreamDecoder(info, stats)

    def take(self, heard: Heard) -> list[SampleBlock]:
        """Take what the device said, in order.

        Returns:
            The blocks that became complete.

        Raises:
            SourceError: If it says that it delivers other channels now, or another rate.
        """
        blocks: list[SampleBlock] = []
        data: list[Data] = []
        for item in heard.items:
            if isinstance(item, Data):
                data.append(item)
            elif isinstance(item, Info) and not self.ended:
                blocks += self._decode(data, heard.received)
                data = []
                if item.streaming or item.boot_id != self.info.boot_id:
                    self.restarted = not item.streaming
                    blocks += self.resume(item)
                else:
                    # Nobody asked the device to stop: this is its last word.
                    self.ended = True
                    blocks += self._decoder.finish(item)
        return blocks + self._decode(data, heard.received)

    def resume(self, info: Info) -> list[SampleBlock]:
        """Go on after an INFO, over this connection or a new one.

        Returns:
            Blocks that were held back until now.

        Raises:
            SourceError: If the device delivers other channels than before, or another rate.
        """
        if (info.channels, info.rate) != (self.info.channels, self.info.rate):
            raise SourceError(
                f"the device has changed: it delivers {_describe(info)} now, but this stream began with "
                f"{_describe(self.info)}; connect anew to use it"
            )
        if info.boot_id != self.info.boot_id:
            self.warn("the device restarted: what it sampled before and did not send cannot be counted")
        self.info = info
        return self._decoder.resync(info)

    def warn(self, text: str) -> None:
        """Keep a warning for the user, once: a link that breaks for weeks must not fill the memory."""
        if text not in self._stats.warnings:
            self._stats.warnings.append(text)

    def _decode(self, data: list[Data], received: float) -> list[SampleBlock]:
        if not data:
            return []
        self.message_seconds = len(data[-1].payload) / self.info.sample_size / self.info.rate
        return self._decoder.push_many(data, received)


def _describe(info: Info) -> str:
    return f"{', '.join(info.channels)} at {info.rate:g} Hz"

"""What a source of samples is, and how one is found by its URL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol, Self, cast
from urllib.parse import SplitResult, urlsplit

from img2imu_edge.errors import SourceError
from img2imu_edge.samples import SampleBlock


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """What a source says about its samples.

    Attributes:
        name: The device's or the recording's name.
        channels: Names of the columns, such as `("acc_x", "acc_y", "acc_z")`.
        rate: Nominal sampling rate in Hz.
    """

    name: str
    channels: tuple[str, ...]
    rate: float


@dataclass(slots=True)
class LinkStats:
    """Counters of one link, kept current by its source.

    Every sample that the device made is counted once, as received or as lost.

    Attributes:
        samples_received: Samples that came.
        samples_lost: Samples that are known not to have come.
        messages: Messages that were good.
        duplicates: Messages that came again.
        reordered: Messages that came after a later one.
        corrupt: Messages, or stretches of bytes, that were refused.
        bytes_received: Bytes that came, good or not.
        reconnects: Times that the device was connected again.
        battery: Percent that are left of the device's battery; None where it does not tell.
        warnings: What is wrong with the stream, in words, each once.
    """

    samples_received: int = 0
    samples_lost: int = 0
    messages: int = 0
    duplicates: int = 0
    reordered: int = 0
    corrupt: int = 0
    bytes_received: int = 0
    reconnects: int = 0
    battery: int | None = None
    warnings: list[str] = field(default_factory=list)


class Source(Protocol):
    """A stream of samples: `async with source: async for block in source`.

    Entering connects and learns `info`; iterating yields blocks until the stream ends. A source that loses
    its device keeps trying and goes on with the next block, whose `lost` and times show the gap.
    """

    url: str
    stats: LinkStats

    @property
    def info(self) -> StreamInfo:
        """The stream's description, known once the source was entered."""
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None: ...

    def __aiter__(self) -> AsyncIterator[SampleBlock]: ...


SourceFactory = Callable[[SplitResult], Source]
"""What the `img2imu.sources` entry point of a URL scheme holds: a parsed URL in, a source out."""


def open_source(url: str) -> Source:
    """Find the source for a URL such as `serial:///dev/ttyUSB0`, `replay:run.csv` or `virtual:`.

    Nothing is opened until the source is entered with `async with`.

    Args:
        url: Scheme, colon, and what that scheme takes. Further schemes come from packages that register an
            `img2imu.sources` entry point.

    Returns:
        The source, not yet connected.

    Raises:
        SourceError: If the scheme is unknown or the URL's options are wrong.
    """
    from importlib.metadata import entry_points  # a tenth of the package's import time, for one call

    try:
        parts = urlsplit(url)
    except ValueError as error:  # brackets that do not match, or hold no address
        raise SourceError(f"{url} is no URL: {error}") from error
    known = {entry.name: entry for entry in entry_points(group="img2imu.sources")}
    if parts.scheme not in known:
        schemes = ", ".join(f"{name}:" for name in sorted(known))
        raise SourceError(f"no source is called {url!r}; {_meant(url)}start the URL with one of: {schemes}")
    factory = cast(SourceFactory, known[parts.scheme].load())
    return factory(parts)


def _meant(url: str) -> str:
    """What somebody who gave a file or a port instead of a URL may have meant."""
    if url.lower().endswith(".csv"):
        return f"for a recording: replay:{url}; "
    if url.startswith("/dev/"):
        return f"for a port: serial://{url}; "
    return ""

"""Where decisions go. An output is found by its URL's scheme, through the entry points `img2imu.sinks`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, cast
from urllib.parse import SplitResult, quote, urlsplit

from img2imu_edge.errors import OutputError
from img2imu_edge.sinks.messages import Counters, Decided, Event, Message

__all__ = ["Counters", "Decided", "Event", "Message", "Sink", "SinkFactory", "open_sink"]


class Sink(Protocol):
    """Takes messages, one by one, in a thread of its own (see `Outlet`); so it may take its time.

    Attributes:
        url: Its name, for people: without secrets.
        warnings: What people should know, one sentence each; it only grows.
    """

    url: str
    warnings: list[str]

    def start(self) -> None:
        """Bind, open, connect: called once, before any source is connected.

        Raises:
            Img2ImuError: If it can never work: a port in use, a folder that does not exist.
        """
        ...

    def take(self, message: Message) -> None:
        """Take one message; it may wait for a peer that is away, until `close` is called from another thread.

        Raises:
            OSError: If this message is lost; it is counted, and the next one is tried.
        """
        ...

    def close(self) -> int:
        """Release what the sink holds, within seconds; may be called twice, also while `take` waits.

        Returns:
            How many messages it took and could not deliver.
        """
        ...


SinkFactory = Callable[[SplitResult, Sequence[str]], Sink]
"""What the `img2imu.sinks` entry point of a URL scheme holds: a parsed URL and the model's classes in, a sink
out."""


def open_sink(target: str, labels: Sequence[str] = ()) -> Sink:
    """Find the sink for a path such as `walk.csv` or a URL such as `mqtt://broker/topic`.

    A path that ends with `.csv` gets CSV, all others get JSON lines. Nothing is opened before `start`.

    Args:
        target: Path or URL. Further schemes come from packages that register an `img2imu.sinks` entry point.
        labels: The model's classes, `model.card.labels`; tables have a column for each.

    Returns:
        The sink, not started.

    Raises:
        OutputError: If the scheme is unknown, the path asks for Parquet, or the URL's options are wrong.
        MissingExtraError: If the library that it needs is not installed.
    """
    from importlib.metadata import entry_points

    known = {entry.name: entry for entry in entry_points(group="img2imu.sinks")}
    if "://" in target or target.partition(":")[0] in known:
        try:
            parts = urlsplit(target)
        except ValueError as error:  # brackets that do not match, or hold no address
            raise OutputError(f"{target} is no URL: {error}") from error
        if parts.scheme not in known:
            schemes = ", ".join(f"{name}://" for name in sorted(known) if name not in ("csv", "jsonl"))
            raise OutputError(
                f"no output is called {parts.scheme}://; give a path (.jsonl, .csv), or start the URL with "
                f"one of: {schemes}"
            )
    elif target.lower().endswith(".parquet"):
        raise OutputError(f"{target}: Parquet is written by img2imu classify --batch; give .jsonl or .csv")
    else:
        kind = "csv" if target.lower().endswith(".csv") else "jsonl"
        parts = SplitResult(kind, "", quote(target), "", "")
    return cast(SinkFactory, known[parts.scheme].load())(parts, labels)

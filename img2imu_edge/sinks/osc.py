"""`osc://127.0.0.1:9000/img2imu`: Open Sound Control over UDP, for music, light and interactive art.

See https://opensoundcontrol.stanford.edu/spec-1_0.html. All messages of a decision are one bundle, so that
they arrive together or not at all; UDP tells nobody which.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, unquote

from img2imu_edge.errors import OutputError
from img2imu_edge.extras import extra
from img2imu_edge.interfaces import in_url
from img2imu_edge.options import options_of
from img2imu_edge.sinks.messages import Counters, Decided, Event, Message
from img2imu_edge.sinks.names import Names
from img2imu_edge.sinks.serving import address_of

if TYPE_CHECKING:
    from pythonosc.udp_client import UDPClient

Values = tuple[str | float, ...]

_PORT = 9000
_NO_PLACE = set(" #*,?[]{}")  # in an address, by the specification


@dataclass(frozen=True, slots=True)
class OscOptions:
    """Options of `osc://`: there are none."""


def open_osc(url: SplitResult, labels: Sequence[str]) -> OscSink:
    """The sink behind an `osc://` URL.

    Raises:
        MissingExtraError: If python-osc is not installed.
        OutputError: If the URL is wrong.
    """
    with extra("osc", "osc://"):
        import pythonosc.udp_client  # noqa: F401
    options_of(url, OscOptions, OutputError)
    host, port = address_of(url, _PORT)
    prefix = "/" + (unquote(url.path).strip("/") or "img2imu")
    if _NO_PLACE & set(prefix) or not prefix.isascii() or not prefix.isprintable():
        raise OutputError(f"{prefix!r} is no OSC address: it has a letter that none may have")
    return OscSink(host, port, prefix, labels)


class OscSink:
    """Sends each decision to one program or, by a broadcast address, to all in a network; see `Sink`.

    Args:
        host: Where the program is.
        port: Where it listens.
        prefix: How addresses begin, such as `/img2imu`.
        labels: The model's classes.
    """

    def __init__(self, host: str, port: int, prefix: str, labels: Sequence[str] = ()) -> None:
        self.url, self.warnings = f"osc://{in_url(host)}:{port}{prefix}", list[str]()
        self._host, self._port, self._prefix = host, port, prefix
        self._sources, self._classes = Names(), Names("class")
        for label in labels:  # in the model's order, so that the same class has the same name each time
            self._classes.of(label)
        self._client: UDPClient | None = None

    def start(self) -> None:
        """Find the host.

        Raises:
            OutputError: If there is none of this name.
        """
        from pythonosc.udp_client import UDPClient

        try:
            found = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_DGRAM)
        except OSError as error:
            raise OutputError(f"{self.url}: no such host ({error.strerror or error})") from error
        # Few programs listen on IPv6, and UDP would not tell: where a name has both, this is the one meant.
        family, *_, address = min(found, key=lambda each: each[0] != socket.AF_INET)
        self._client = UDPClient(str(address[0]), self._port, allow_broadcast=True, family=family)

    def take(self, message: Message) -> None:
        """Send a bundle.

        Raises:
            OSError: If it cannot leave this computer.
        """
        if self._client is None or isinstance(message, Counters):
            return
        from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
        from pythonosc.osc_message_builder import OscMessageBuilder

        bundle = OscBundleBuilder(IMMEDIATELY)
        for address, values in self._told(message).items():
            builder = OscMessageBuilder(f"{self._prefix}/{self._sources.of(message.source)}/{address}")
            for value in values:
                builder.add_arg(value)
            bundle.add_content(builder.build())
        self._client.send(bundle.build())

    def close(self) -> int:
        """Close the socket."""
        client, self._client = self._client, None
        if client:
            client.close()
        return 0

    def _told(self, message: Decided | Event) -> dict[str, Values]:
        if isinstance(message, Event):
            return {"event": (message.kind, message.message)}
        decision = message.decision
        scores = {f"score/{self._classes.of(label)}": (score,) for label, score in decision.scores.items()}
        return {
            "label": (decision.label or "none",),
            "confidence": (float(decision.confidence),),
            "coverage": (float(decision.coverage),),
            **scores,
        }

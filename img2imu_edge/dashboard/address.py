"""Where the dashboard listens, and who may ask for it."""

from __future__ import annotations

import contextlib
import hmac
import secrets
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Self
from urllib.parse import urlsplit

from img2imu_edge.errors import Img2ImuError
from img2imu_edge.interfaces import is_loopback

DEFAULT = "127.0.0.1:8765"
"""Where it listens unless told otherwise: for this computer alone."""

PROTOCOL = "img2imu.v1"
"""Sub-protocol of the WebSocket; a token goes along as a second one, `token.…`."""

_LEAST_TOKEN = 8


@dataclass(frozen=True, slots=True)
class Address:
    """An address, and the token that goes with it.

    Attributes:
        host: Of the interface; 0.0.0.0 for all.
        port: 0 for any.
        token: What a browser must show; empty for nothing, which is for this computer alone.
    """

    host: str
    port: int
    token: str = ""

    @classmethod
    def read(cls, text: str, token: str = "") -> Self:
        """Read `127.0.0.1:8765`, `[::1]:8765` or `0.0.0.0:8765`.

        Args:
            text: Host and port.
            token: The token; for other interfaces than loopback one is made if it is empty.

        Raises:
            Img2ImuError: If it is no address, or the token is too short or has odd characters.
        """
        host, port = _split(text)
        if not host or port is None:
            raise Img2ImuError(
                f"the dashboard cannot listen on {text!r}; write host and port, as in {DEFAULT}"
            )
        if token and (len(token) < _LEAST_TOKEN or not token.isascii() or not token.isalnum()):
            raise Img2ImuError(f"the dashboard's token needs {_LEAST_TOKEN} letters and digits or more")
        if not token and not is_loopback(host):
            token = secrets.token_hex(16)
        return cls(host, port, token)

    def admits(self, protocols: Sequence[str]) -> bool:
        """Whether the sub-protocols that a browser asks for have the token in them, if one is needed."""
        shown = next((name[6:] for name in protocols if name.startswith("token.")), "")
        return not self.token or hmac.compare_digest(shown.encode(), self.token.encode())


def _split(text: str) -> tuple[str, int | None]:
    with contextlib.suppress(ValueError):
        parts = urlsplit(f"//{text}")
        if parts.netloc == text and "@" not in text:
            return parts.hostname or "", parts.port
    return "", None


def is_own_origin(origin: str, host: str) -> bool:
    """Whether the page that asks came from the host that it asks; no page from elsewhere may."""
    try:
        return urlsplit(origin).netloc == host
    except ValueError:
        return False


def is_own_name(host: str) -> bool:
    """Whether a `Host` header can only mean this computer.

    A name of somebody else's that was made to point here (DNS rebinding) is not: only numbers and this
    computer's own names are.
    """
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    try:
        ip_address(name)
    except ValueError:
        own = socket.gethostname().lower()
        return name in ("localhost", own, f"{own}.local")
    return True

"""Outputs that others connect to: where they listen, who may read, and TLS."""

from __future__ import annotations

import hmac
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl

from img2imu_edge import interfaces
from img2imu_edge.errors import OutputError

_LEAST_TOKEN = 8


@dataclass(frozen=True, slots=True)
class ServingOptions:
    """Options of `ws://`, `wss://` and `prometheus://`.

    Attributes:
        token: What readers must show, as `Authorization: Bearer …` or as `?token=…`.
        cert: PEM file of the certificate that is shown to readers, with those of its authorities after it.
        key: PEM file of its key; empty if it is in the certificate's file.
    """

    token: str = ""
    cert: str = ""
    key: str = ""

    def __post_init__(self) -> None:
        if self.key and not self.cert:
            raise ValueError("a key needs its certificate, cert=its.pem")


def address_of(url: SplitResult, port: int) -> tuple[str, int]:
    """Host and port of a URL.

    Args:
        url: The URL.
        port: Taken where it names none.

    Raises:
        OutputError: If it names no host, or a port that is none.
    """
    try:
        given = url.port
    except ValueError as error:
        raise OutputError(f"{url.scheme}://{url.hostname}: the port must be from 0 to 65535") from error
    if not url.hostname:
        raise OutputError(f"{url.scheme}:// needs a host, such as {url.scheme}://127.0.0.1:{port}")
    return url.hostname, port if given is None else given


def check_token(scheme: str, host: str, token: str) -> None:
    """See to it that others than this computer need a token.

    Raises:
        OutputError: If they would not, or it is too short.
    """
    if token and len(token) < _LEAST_TOKEN:
        raise OutputError(f"a token of {scheme}:// needs {_LEAST_TOKEN} letters or more")
    if not token and not interfaces.is_loopback(host):
        raise OutputError(
            f"on {host} anyone in the network could read along; give a token, ?token=… with {_LEAST_TOKEN} "
            "letters or more, and have readers show it"
        )


def shows(token: str, authorization: str, query: str) -> bool:
    """Whether a request shows a token, as `Authorization: Bearer …` or as `?token=…`."""
    kind, _, shown = authorization.partition(" ")
    if kind.lower() != "bearer":
        shown = dict(parse_qsl(query)).get("token", "")
    return not token or hmac.compare_digest(shown.strip().encode(), token.encode())


def listen(scheme: str, host: str, port: int) -> socket.socket:
    """A socket that listens.

    Raises:
        OutputError: If the port is taken, or the address not this computer's.
    """
    try:
        return interfaces.listen(host, port)
    except socket.gaierror as error:
        raise OutputError(f"{scheme}://{host}: no such address ({error.strerror or error})") from error
    except OSError as error:
        raise OutputError(
            f"{scheme}:// cannot listen on {host} port {port} ({error.strerror or error}); is another "
            "img2imu running? Choose another port"
        ) from error


def server_tls(cert: str, key: str) -> ssl.SSLContext | None:
    """TLS 1.2 or newer for a server that shows this certificate; None without one.

    Raises:
        OutputError: If a file cannot be read, or the key is not the certificate's.
    """
    if not cert:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    load_certificate(context, cert, key)
    return context


def load_certificate(context: ssl.SSLContext, cert: str, key: str) -> None:
    """Have a certificate of our own shown.

    Args:
        context: By whom.
        cert: PEM file.
        key: PEM file of its key; empty if it is in the same file.

    Raises:
        OutputError: If a file cannot be read, or the key is not the certificate's.
    """
    for path in filter(None, (cert, key)):
        try:
            Path(path).read_bytes()  # ssl does not tell which of the two it is about
        except OSError as error:
            raise OutputError(f"cannot read the certificate's {path}: {error.strerror or error}") from error

    def password() -> str:  # it would be asked for at the terminal
        raise OutputError(f"the key in {key or cert} has a password; write one without: openssl pkey -in …")

    try:
        context.load_cert_chain(cert, key or None, password)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise OutputError(f"the key in {key or cert} is not that of the certificate in {cert}") from error
        files = f"{cert} and {key}" if key else f"{cert} (give the key's file too: key=its.key)"
        raise OutputError(f"no certificate and key in PEM form in {files}: {error.reason}") from error

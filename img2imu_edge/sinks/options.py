"""Options in an output's URL, checked against a dataclass of what there is; and who may reach a server."""

from __future__ import annotations

import dataclasses
import hmac
import socket
from typing import Any, TypeVar, cast, get_type_hints
from urllib.parse import SplitResult, parse_qsl

from img2imu_edge.errors import OutputError
from img2imu_edge.interfaces import is_loopback

T = TypeVar("T")

_LEAST_TOKEN = 8


def options_of(url: SplitResult, kind: type[T]) -> T:
    """Read the query of a URL into a dataclass of numbers, texts and booleans with defaults.

    Raises:
        OutputError: If an option is unknown or its value of the wrong type; the message names the known ones.
    """
    hints = get_type_hints(kind)
    known = [field.name for field in dataclasses.fields(cast(Any, kind))]
    values: dict[str, object] = {}
    for name, text in parse_qsl(url.query, keep_blank_values=True):
        if name not in known:
            raise OutputError(
                f"{url.scheme}:// has no option {name!r}; there are: {', '.join(known) or 'none'}"
            )
        try:
            values[name] = _boolean(text) if hints[name] is bool else hints[name](text)
        except ValueError as error:
            raise OutputError(f"option {name}={text!r} of {url.scheme}:// is not valid") from error
    return kind(**values)


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
    if not token and not is_loopback(host):
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
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise OutputError(f"{scheme}://{host}: no such address ({error.strerror or error})") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen()
    except OSError as error:
        listener.close()
        raise OutputError(
            f"{scheme}:// cannot listen on {host} port {port} ({error.strerror or error}); is another "
            "img2imu running? Choose another port"
        ) from error
    return listener


def _boolean(text: str) -> bool:
    if text.lower() not in ("", "1", "0", "true", "false"):
        raise ValueError(text)
    return text.lower() not in ("0", "false")

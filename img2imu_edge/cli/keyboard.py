"""Single keys from a terminal, while the event loop runs."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Callable, Iterator

_ESCAPE = b"\x1b"


def has_keyboard() -> bool:
    """Whether single keys can come: from a POSIX terminal, with this process in its foreground."""
    if sys.platform == "win32" or not sys.stdin.isatty():
        return False
    try:
        return os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
    except OSError:  # a terminal that does not control anybody
        return True


@contextlib.contextmanager
def single_keys(on_key: Callable[[str], None]) -> Iterator[bool]:
    """Have each key reported as it is pressed; needs a running event loop.

    Ctrl+C and the like keep their meaning. Without a keyboard no key comes.

    Args:
        on_key: Called with each character.

    Yields:
        Whether keys come.
    """
    if sys.platform == "win32" or not has_keyboard():
        yield False
        return
    import termios
    import tty

    terminal, loop = sys.stdin.fileno(), asyncio.get_running_loop()

    def read() -> None:
        try:
            data = os.read(terminal, 64)
        except OSError:
            data = b""
        if not data:  # the terminal is gone
            loop.remove_reader(terminal)
        if not data.startswith(_ESCAPE):  # arrows and function keys come as an escape and some characters
            for key in data.decode("utf-8", "ignore"):
                on_key(key)

    before = termios.tcgetattr(terminal)
    tty.setcbreak(terminal)
    loop.add_reader(terminal, read)
    try:
        yield True
    finally:
        loop.remove_reader(terminal)
        with contextlib.suppress(termios.error):
            termios.tcsetattr(terminal, termios.TCSADRAIN, before)

"""Names that fit a topic, an address or an identifier, made from names for people."""

from __future__ import annotations

import re


class Names:
    """One name for each source or class, and no two the same.

    Args:
        otherwise: For what has neither letter nor digit.
    """

    def __init__(self, otherwise: str = "source") -> None:
        self._otherwise = otherwise
        self._names: dict[str, str] = {}

    def of(self, text: str) -> str:
        """The name of a source or a class, always the same: small letters, digits and `_`."""
        if text not in self._names:
            plain = slug(text, self._otherwise)
            taken = set(self._names.values())
            others = (f"{plain}_{n}" for n in range(2, len(taken) + 3))
            self._names[text] = next(name for name in (plain, *others) if name not in taken)
        return self._names[text]


def slug(text: str, otherwise: str = "source") -> str:
    """A name that fits a topic and an identifier."""
    return re.sub(r"[^A-Za-z0-9]+", "_", text).strip("_").lower() or otherwise

"""What a long run tells as it goes, so that it knows nothing of who shows it, and how."""

from __future__ import annotations

from typing import Protocol


class Watch(Protocol):
    """Somebody who is told."""

    def begin(self, what: str, steps: int = 0) -> None:
        """A part begins, and the one before it is done.

        Args:
            what: Its name, in a few words.
            steps: How often `step` will be called; 0 where it cannot be counted.
        """

    def step(self, step: int, loss: float | None = None) -> None:
        """A step of the part is done.

        Args:
            step: Its number, from 1.
            loss: What is being made smaller, if anything is.
        """


class Unwatched:
    """Nobody."""

    def begin(self, what: str, steps: int = 0) -> None:
        """Tell nobody."""

    def step(self, step: int, loss: float | None = None) -> None:
        """Tell nobody."""

"""Children that must prepare themselves, and cannot: when another one is tried, and when that is given up."""

from __future__ import annotations

import logging
from typing import Final

from warrener.errors import AppError, NotReady

_log = logging.getLogger("warrener.worker")

_FIRST_DELAY: Final = 1.0
_LONGEST_DELAY: Final = 30.0
_PATIENCE: Final = 30.0
"""Seconds for which a worker goes on without any child that can work."""


class Readiness:
    """What children have said of their start."""

    def __init__(self) -> None:
        self._tries = 0
        self._next_try = 0.0
        self._failing_since: float | None = None
        self._said = ""

    @property
    def is_failing(self) -> bool:
        """Whether it is said why none can work."""
        return self._failing_since is not None

    def on_ready(self) -> None:
        """One can work."""
        self._tries = 0
        self._failing_since = None

    def on_unready(self, sentence: str, now: float, *, is_lasting: bool, has_others: bool) -> float:
        """One cannot.

        Args:
            sentence: Why.
            now: On the monotonic clock.
            is_lasting: Whether another one could not either.
            has_others: Whether there are others that can work.

        Returns:
            Seconds until the next one is tried.

        Raises:
            AppError: None ever could.
            NotReady: None could for too long.
        """
        if is_lasting:
            raise AppError(sentence)
        self._failing_since = self._failing_since or now
        if not has_others and now - self._failing_since >= _PATIENCE:
            raise NotReady(f"{sentence}; no child could begin to work for {_PATIENCE:.0f} s")
        if now >= self._next_try:  # once for all that were tried together
            if sentence != self._said:  # once for all that meet the same
                self._said = sentence
                _log.warning("%s; trying again", sentence)
            self._next_try = now + min(_FIRST_DELAY * 2**self._tries, _LONGEST_DELAY)
            self._tries += 1
        return self._next_try - now

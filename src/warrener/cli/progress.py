"""How far things are: a live bar, or a line now and then."""

from __future__ import annotations

import sys
import time
from typing import Final, Self

from warrener.cli.printing import say
from warrener.live_bar import LiveBar
from warrener.text import plain

_LINE_EVERY: Final = 5.0


class Progress:
    """A live bar on a terminal, a plain line now and then elsewhere. Use it with `with`."""

    def __init__(self, title: str) -> None:
        self._title = plain(title)
        self._shown_at = 0.0
        self._shown = self._said = ""
        self._blocked_reason: str | None = None
        self._bar: LiveBar | None = None
        self._is_live = sys.stderr.isatty()

    def __enter__(self) -> Self:
        if self._is_live:
            self._bar = LiveBar(self._title)
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar:
            self._bar.stop()
        elif self._shown:
            say(self._shown)

    def show(self, text: str, done: float, total: float | None, blocked_reason: str | None = None) -> None:
        """Show how far things are, and what holds them up, if anything."""
        text += f" | {blocked_reason}" if blocked_reason else ""
        if self._bar:
            self._bar.show(plain(text), done, total)
            return
        line = f"{self._title}: {text}"
        self._shown = line if line != self._said else ""
        is_news = blocked_reason != self._blocked_reason
        self._blocked_reason = blocked_reason
        if self._shown and (is_news or time.monotonic() - self._shown_at >= _LINE_EVERY):
            self._shown_at = time.monotonic()
            self._said, self._shown = line, ""
            say(line)

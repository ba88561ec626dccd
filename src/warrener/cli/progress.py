"""How far things are: a live bar, or a line now and then."""

from __future__ import annotations

import math
import sys
import time
from typing import TYPE_CHECKING, Any, Final, Self

from warrener.cli.printing import plain, say

if TYPE_CHECKING:
    from warrener.monitor import Status

_LINE_EVERY: Final = 5.0


class Progress:
    """A live bar on a terminal, a plain line now and then elsewhere. Use it with `with`."""

    def __init__(self, title: str) -> None:
        self._title = plain(title)
        self._shown_at = 0.0
        self._shown = self._said = ""
        self._blocked_reason: str | None = None
        self._bar: Any = None
        self._is_live = sys.stderr.isatty()

    def __enter__(self) -> Self:
        if self._is_live:
            from rich.console import Console
            from rich.progress import BarColumn, TextColumn
            from rich.progress import Progress as Bar
            from rich.table import Column

            # Where the terminal is narrow the end of the text is cut, and nothing else.
            self._bar = Bar(
                TextColumn("{task.description}", markup=False),
                BarColumn(bar_width=16),
                TextColumn("{task.fields[text]}", markup=False, table_column=Column(ratio=1, no_wrap=True)),
                console=Console(stderr=True),
                expand=True,
            )
            self._bar.start()
            self._task = self._bar.add_task(self._title, total=None, text="")
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
            self._bar.update(self._task, text=plain(text), completed=done, total=total)
            return
        line = f"{self._title}: {text}"
        self._shown = line if line != self._said else ""
        is_news = blocked_reason != self._blocked_reason
        self._blocked_reason = blocked_reason
        if self._shown and (is_news or time.monotonic() - self._shown_at >= _LINE_EVERY):
            self._shown_at = time.monotonic()
            self._said, self._shown = line, ""
            say(line)


def status_line(status: Status) -> str:
    """A look at a queue in one line."""
    counts = status.counts
    parts = [
        f"{status.done:,}/{status.total:,}",
        percent(status),
        f"{rate(status.rate)}",
        f"ETA {eta(status)}",
        f"ready {counts.ready:,}",
        f"processing {_number(counts.processing)}",
        f"delayed {_number(counts.delayed)}",
        f"completed {counts.completed:,}",
        f"failed {counts.failed:,}",
    ]
    return " | ".join(parts)


def percent(status: Status) -> str:
    """The progress; 100% only when all is done."""
    return f"{math.floor(status.progress * 100)}%"


def rate(value: float | None) -> str:
    """Tasks per second."""
    if value is None:
        return "rate unknown"
    return f"{value:,.0f}/s" if value >= 10 else f"{value:.2g}/s"  # noqa: PLR2004 - below ten, decimals matter


def eta(status: Status) -> str:
    """How long it will take: a time, a range where the rate wavers, or unknown."""
    if status.eta is None:
        return "unknown"
    soonest, latest = status.eta
    if latest - soonest < 0.2 * latest or latest < 2:  # noqa: PLR2004 - too close to tell apart
        return _span(latest)
    return f"{_span(soonest)} to {_span(latest)}"


def _span(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


def _number(value: int | None) -> str:
    return "unknown" if value is None else f"{value:,}"

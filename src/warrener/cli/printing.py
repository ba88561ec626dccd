"""What every verb does alike: progress on stderr, errors as one sentence, the exit codes."""

from __future__ import annotations

import asyncio
import logging
import math
import sys
import time
from collections.abc import Coroutine
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

import typer

from warrener.codec import encode
from warrener.errors import BrokerError, ClusterError, UsageError, WarrenerError
from warrener.monitor import Status
from warrener.text import escape_json

if TYPE_CHECKING:
    from warrener.collector import Summary

T = TypeVar("T")

EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 2
EXIT_BROKER: Final = 3  # the cluster's too
EXIT_INTERRUPTED: Final = 130
_LINE_EVERY: Final = 5.0


def say(text: str) -> None:
    """A line for people, whatever is in it."""
    typer.echo(plain(text), err=True)


def print_json(value: object) -> None:
    """A line for programs, exact; on a terminal its control characters are escaped."""
    line = encode(value)
    typer.echo(escape_json(line) if sys.stdout.isatty() else line)


def finish(main: Coroutine[Any, Any, T]) -> T:
    """Run a verb to its end; its errors become one sentence and an exit code."""
    with guarded():
        return asyncio.run(main)


@contextmanager
def guarded() -> Any:
    """Turn our errors into one sentence and an exit code."""
    try:
        yield
    except UsageError as error:
        raise failed(f"{error}", EXIT_USAGE) from None
    except (BrokerError, ClusterError) as error:
        raise failed(f"{error}", EXIT_BROKER) from None
    except WarrenerError as error:
        raise failed(f"{error}", EXIT_FAILED) from None
    except KeyboardInterrupt:
        raise failed("interrupted", EXIT_INTERRUPTED) from None


def failed(sentence: str, code: int) -> typer.Exit:
    """The end of a verb that could not do its work: raise it."""
    say(f"warrener: {sentence}")
    return typer.Exit(code)


def ended_with(summary: Summary, output: str, flags: str) -> None:
    """The summary of a batch.

    Args:
        summary: What was collected.
        output: Where the results are.
        flags: Options that lead a command to the queue.
    """
    say(str(summary))
    for reason, count in sorted(summary.by_reason.items(), key=lambda item: -item[1]):
        say(f"  failed, {reason}: {count:,}")
    if summary.retries:
        say(f"  retries: {summary.retries:,}")
    say(f"results: {output}")
    if summary.failed:
        say(f"failures: warrener failures list {flags}".rstrip())


class Progress:
    """A live bar on a terminal, a plain line now and then elsewhere. Use it with `with`."""

    def __init__(self, title: str) -> None:
        self._title = plain(title)
        self._shown_at = 0.0
        self._shown = self._said = ""
        self._held_up: str | None = None
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
        is_news = blocked_reason != self._held_up
        self._held_up = blocked_reason
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


def counted(count: int, noun: str) -> str:
    """A number of things."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def plain(text: str) -> str:
    """Text as one line that a terminal may have, whoever wrote it.

    What would steer the terminal, break the line or turn the direction of reading is written as Python's `repr` does.
    """
    return "".join(c if c.isprintable() or c == "\t" else repr(c)[1:-1] for c in text)


class PlainFormatter(logging.Formatter):
    """A log line likewise; the lines of a traceback stay lines."""

    def format(self, record: logging.LogRecord) -> str:
        """One record."""
        text = super().format(record)
        return "\n".join(map(plain, text.split("\n") if record.exc_info else [text]))

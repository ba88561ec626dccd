"""Lines that a terminal may have, whoever wrote what is in them: for people on stderr, for programs on stdout."""

from __future__ import annotations

import logging
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from warrener.codec import encode
from warrener.stderr import stderr
from warrener.text import escape_json, plain

if TYPE_CHECKING:
    from warrener.rows import Summary


def say(text: str) -> None:
    """A line for people, whatever is in it."""
    stderr().flush()  # what tasks have printed before comes before
    with suppress(OSError):  # a terminal that is gone
        click.echo(plain(text), err=True)


def print_json(value: object) -> None:
    """A line for programs, exact; on a terminal its control characters are escaped."""
    line = encode(value)
    click.echo(escape_json(line) if sys.stdout.isatty() else line)


def ended_with(summary: Summary, output: str, failures: str, left_out: str = "") -> None:
    """The summary of a batch.

    Args:
        summary: What was collected.
        output: Where the results are.
        failures: The command that lists the failures.
        left_out: What was left out of the batch, if anything.
    """
    say(str(summary))
    for reason, count in sorted(summary.by_reason.items(), key=lambda item: -item[1]):
        say(f"  failed, {reason}: {count:,}")
    if summary.retries:
        say(f"  retries: {summary.retries:,}")
    if left_out:
        say(f"  {left_out}")
    say(f"results: {output}")
    if summary.failed:
        say(f"failures: {failures}")


def counted(count: int, noun: str) -> str:
    """A number of things."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


class PlainFormatter(logging.Formatter):
    """A log line that a terminal may have; the lines of a traceback stay lines."""

    def format(self, record: logging.LogRecord) -> str:
        """One record."""
        text = super().format(record)
        return "\n".join(map(plain, text.split("\n") if record.exc_info else [text]))

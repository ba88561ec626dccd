"""Text from others, made fit for one of our sentences, a message header, or a terminal."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Final

_MAX_WORDS: Final = 512


def sanitize(words: object) -> str:
    """What others say, fit for one of our sentences: one line of bounded length."""
    return cut(" ".join(str(words)[:_MAX_WORDS].split()), _MAX_WORDS)


def cut(text: str, limit: int, *, keep_end: bool = False) -> str:
    """Text fit for a message header: of bounded size, and without control characters.

    Bounded, because an AMQP header must fit into one frame; without control characters, because JSON writes
    each as six, and terminals obey them.
    """
    text = text[-limit:] if keep_end else text[:limit]  # no character has less than a byte
    clean = "".join(c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text)
    data = clean.encode("utf-8", "replace")
    if len(data) <= limit:
        return data.decode()
    part = data[-limit:] if keep_end else data[:limit]
    return part.decode("utf-8", "ignore")


def readable(output: bytes) -> str:
    """What a program has printed, as text fit for a message header: what it wrote over is a line of its own."""
    lines = output.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return cut(lines.decode("utf-8", "replace"), len(output), keep_end=True)


def plain(text: str) -> str:
    """Text as one line that a terminal may have, whoever wrote it.

    What would steer the terminal, break the line or turn the direction of reading is written as Python's `repr` does.
    """
    if text.isprintable():  # as nearly all is
        return text
    return "".join(c if c.isprintable() or c == "\t" else repr(c)[1:-1] for c in text)


def for_terminal(line: bytes) -> bytes:
    """A line that somebody has printed, as a terminal may have it; of one written over itself, as bars are, the last state."""
    last = line.rstrip(b"\r").rsplit(b"\r", 1)[-1]
    return plain(last.decode("utf-8", "replace")).encode()


def escape_json(lines: bytes) -> bytes:
    """The same JSON for a terminal: what would steer it is escaped, which readers of JSON take for the same text."""
    return "".join(
        c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in lines.decode("utf-8", "replace")
    ).encode()


def utc(seconds: float) -> str:
    """A time since the epoch for people, to the second, as RFC 3339 has it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def utc_if_known(seconds: float | None) -> str:
    """The same, or that it is unknown."""
    return "at an unknown time" if seconds is None else utc(seconds)

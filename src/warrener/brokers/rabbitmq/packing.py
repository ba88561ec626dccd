"""Rows of results that come quickly one after the other travel together, as a pack: the broker does once what it did 32 times.

A pack is compressed lines of JSON, as many as `ROWS`, so that rows can be counted by messages. A row waits for company only while
so many come within `QUICK`, or within `WITHIN` where the tasks are in hand that they are to come from, and then for no longer than
that: while tasks wait for the worker, a row that waits delays nobody.
"""

from __future__ import annotations

import asyncio
import math
import zlib
from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T")

ROWS: Final = 32
"""Rows in a pack."""
LARGEST: Final = 4096
"""Bytes of the largest row that is packed: larger ones gain nothing by it."""
QUICK: Final = 0.01
"""Seconds in which a pack fills, and for which a row waits at most, where nobody knows what comes next,"""
WITHIN: Final = 0.1
"""and where as many tasks are in hand as it takes to fill it: a worker has some for twice as long."""

_GZIP: Final = 31  # zlib's number for that format, whose first bytes are
_MAGIC: Final = b"\x1f\x8b"
_QUICKEST: Final = 1


class Packing(Generic[T]):
    """Rows on their way into packs.

    Args:
        send: Publishes rows: a pack of them, or fewer, each by itself.
    """

    def __init__(self, send: Callable[[Sequence[T]], None]) -> None:
        self._send = send
        self._loop = asyncio.get_running_loop()
        self._rows: list[T] = []
        self._due_at = 0.0  # when the first of them has waited for long enough
        self._timer: asyncio.TimerHandle | None = None
        self._counted = 0  # rows since
        self._counted_from = 0.0
        self._fills_in = math.inf  # seconds that a pack took of late

    def add(self, row: T, in_hand: int) -> None:
        """Send a row, now or with others.

        Args:
            row: What came.
            in_hand: How many tasks are here whose rows may come soon.
        """
        rows = self._rows
        rows.append(row)
        self._counted += 1
        if self._counted == ROWS:
            now = self._loop.time()
            took = now - self._counted_from
            # A moment in which none came does not make the next ones travel alone.
            self._fills_in = took if took < self._fills_in else (took + self._fills_in) / 2
            self._counted, self._counted_from = 0, now
        longest = WITHIN if len(rows) + in_hand >= ROWS else QUICK
        if len(rows) == ROWS or not in_hand or self._fills_in >= longest:
            self.flush()
        elif len(rows) == 1:
            self._due_at = self._loop.time() + longest
            if self._timer is None:
                self._timer = self._loop.call_at(self._due_at, self._on_timer)

    def flush(self) -> None:
        """Let nothing wait any longer."""
        if rows := self._rows:
            self._rows = []
            self._send(rows)

    def clear(self) -> None:
        """Forget what waits."""
        self._rows.clear()

    def _on_timer(self) -> None:
        self._timer = None
        if not self._rows:
            return
        if self._due_at <= self._loop.time():
            self.flush()
        else:
            self._timer = self._loop.call_at(self._due_at, self._on_timer)


def pack(rows: Sequence[bytes]) -> bytes | None:
    """The body of a pack; None where these are not `ROWS` rows of which each can be a line."""
    text = b"\n".join(rows)
    if len(rows) != ROWS or text.count(b"\n") >= ROWS or b"\r" in text:
        return None
    return zlib.compress(text, _QUICKEST, _GZIP)


def unpack(body: bytes) -> Sequence[bytes]:
    """The rows in a message of the stream of results; one that is no pack is a row."""
    if not body.startswith(_MAGIC):
        return (body,)
    reader = zlib.decompressobj(_GZIP)
    try:
        text = reader.decompress(body, ROWS * (LARGEST + 1))
    except zlib.error:
        return (body,)
    rows = text.split(b"\n")
    return rows if reader.eof and not reader.unused_data and len(rows) == ROWS else (body,)
